// Is this member the primary? Asked by Compose; on the first day it founds the replica set as well.
const fs = require('fs');

const NOT_YET_INITIALIZED = 94;
const password = fs.readFileSync('/run/secrets/mongodb_root_password', 'utf8').trim();
db.getSiblingDB('admin').auth('root', password);
try {
  rs.status();
} catch (error) {
  if (error.code !== NOT_YET_INITIALIZED) throw error;
  rs.initiate({ _id: 'rs0', members: [{ _id: 0, host: 'mongodb:27017' }] });
}
quit(db.hello().isWritablePrimary ? 0 : 1);
