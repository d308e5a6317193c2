// Run by MongoDB's image on an empty volume: the API's user, who may use its own database only.
const fs = require('fs');

const password = fs.readFileSync('/run/secrets/mongodb_conch_password', 'utf8').trim();
db.getSiblingDB('conch').createUser({
  user: 'conch',
  pwd: password,
  roles: [{ role: 'readWrite', db: 'conch' }],
});
