"""What the operators' resources may hold; a field that is not here is refused.

The names and types are those of the vendors' definitions, read in November 2026: LeaderWorkerSet's
Go types (leaderworkerset.x-k8s.io/v1), mongodb-kubernetes' and prometheus-operator 0.84's CRDs.
Pod templates within them are checked as Kubernetes' own (test_kubernetes.py).
"""

from typing import Any

STRING: dict[str, Any] = {"type": "string"}
COUNT: dict[str, Any] = {"type": "integer", "minimum": 0}
FLAG: dict[str, Any] = {"type": "boolean"}
# Checked elsewhere, or free by the vendor's definition.
ANYTHING: dict[str, Any] = {"type": "object"}
DURATION = {"type": "string", "pattern": r"^(\d+y)?(\d+w)?(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?$"}
LABELS = {"type": "object", "additionalProperties": STRING}


def one_of(*values: str) -> dict[str, Any]:
    return {"enum": list(values)}


def many(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def fields(*required: str, **known: dict[str, Any]) -> dict[str, Any]:
    """An object with these fields and no other."""
    return {
        "type": "object",
        "properties": known,
        "required": list(required),
        "additionalProperties": False,
    }


SECRET_KEY = fields("name", name=STRING, key=STRING)
SELECTOR = fields(matchLabels=LABELS, matchExpressions=many(ANYTHING))
ROLES = many(fields("name", "db", name=STRING, db=STRING))

LEADER_WORKER_SET = fields(
    "leaderWorkerTemplate",
    replicas=COUNT,
    startupPolicy=one_of("LeaderCreated", "LeaderReady"),
    rolloutStrategy=fields(
        "type",
        type=one_of("RollingUpdate"),
        rollingUpdateConfiguration=fields(
            partition=COUNT,
            maxUnavailable={"type": ["integer", "string"]},
            maxSurge={"type": ["integer", "string"]},
        ),
    ),
    networkConfig=fields("subdomainPolicy", subdomainPolicy=one_of("Shared", "UniquePerReplica")),
    leaderWorkerTemplate=fields(
        "workerTemplate",
        leaderTemplate=ANYTHING,
        workerTemplate=ANYTHING,
        size={"type": "integer", "minimum": 1},
        restartPolicy=one_of(
            "Default", "RecreateGroupOnPodRestart", "RecreateGroupAfterStart", "None"
        ),
        subGroupPolicy=fields(
            subGroupPolicyType=one_of("LeaderWorker", "LeaderExcluded"), subGroupSize=COUNT
        ),
        volumeClaimTemplates=many(ANYTHING),
        persistentVolumeClaimRetentionPolicy=ANYTHING,
    ),
)

MONGODB_COMMUNITY = fields(
    "type",
    "users",
    type=one_of("ReplicaSet"),
    members={"type": "integer", "minimum": 0, "maximum": 50},
    arbiters=COUNT,
    version=STRING,
    featureCompatibilityVersion=STRING,
    clusterDomain=STRING,
    additionalConnectionStringConfig=ANYTHING,
    additionalMongodConfig=ANYTHING,
    agent=ANYTHING,
    automationConfig=ANYTHING,
    memberConfig=many(fields(priority=STRING, tags=LABELS, votes=COUNT)),
    prometheus=ANYTHING,
    replicaSetHorizons=many(LABELS),
    security=fields(
        authentication=fields(
            "modes",
            modes=many(one_of("SCRAM", "SCRAM-SHA-256", "SCRAM-SHA-1", "X509")),
            agentMode=STRING,
            agentCertificateSecretRef=ANYTHING,
            ignoreUnknownUsers=FLAG,
        ),
        roles=many(ANYTHING),
        tls=ANYTHING,
    ),
    users=many(
        fields(
            "name",
            "roles",
            additionalConnectionStringConfig=ANYTHING,
            connectionStringSecretAnnotations=LABELS,
            connectionStringSecretName=STRING,
            connectionStringSecretNamespace=STRING,
            db=STRING,
            name=STRING,
            passwordSecretRef=SECRET_KEY,
            roles=ROLES,
            scramCredentialsSecretName={"type": "string", "pattern": r"^[a-z0-9]([-a-z0-9.]*)$"},
        )
    ),
    statefulSet=fields("spec", metadata=fields(labels=LABELS, annotations=LABELS), spec=ANYTHING),
)

SERVICE_MONITOR = fields(
    "selector",
    "endpoints",
    jobLabel=STRING,
    targetLabels=many(STRING),
    podTargetLabels=many(STRING),
    namespaceSelector=fields(any=FLAG, matchNames=many(STRING)),
    selector=SELECTOR,
    endpoints=many(
        fields(
            port=STRING,
            path={"type": "string", "pattern": "^/"},
            scheme=one_of("http", "https"),
            interval=DURATION,
            scrapeTimeout=DURATION,
            honorLabels=FLAG,
            authorization=fields(type=STRING, credentials=SECRET_KEY),
            tlsConfig=ANYTHING,
            relabelings=many(ANYTHING),
            metricRelabelings=many(ANYTHING),
        )
    ),
)

PROMETHEUS_RULE = fields(
    groups=many(
        fields(
            "name",
            name={"type": "string", "minLength": 1},
            interval=DURATION,
            labels=LABELS,
            limit=COUNT,
            partial_response_strategy=STRING,
            query_offset=DURATION,
            rules=many(
                fields(
                    "expr",
                    alert=STRING,
                    record=STRING,
                    expr={"type": ["integer", "string"]},
                    annotations=LABELS,
                    labels=LABELS,
                    keep_firing_for=DURATION,
                    **{"for": DURATION},
                )
            ),
        )
    )
)

# By API and kind: what `spec` may hold.
SPECS = {
    ("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet"): LEADER_WORKER_SET,
    ("mongodbcommunity.mongodb.com/v1", "MongoDBCommunity"): MONGODB_COMMUNITY,
    ("monitoring.coreos.com/v1", "ServiceMonitor"): SERVICE_MONITOR,
    ("monitoring.coreos.com/v1", "PrometheusRule"): PROMETHEUS_RULE,
}
