"""The same promises on a cluster, behind sentinels, with TLS and with users of few rights."""

from emotion_streams import NOW, subscribe
from tests.faults.site import SCHEDULING_S, Site
from tests.servers import eventually
from tests.topologies import NODE_TIMEOUT_MS, Cluster

FAILOVER_S = 8 * NODE_TIMEOUT_MS / 1000
"""What the servers may take until they have a new primary: detecting it, agreeing, electing."""


def test_a_cluster_survives_the_loss_of_a_node() -> None:
    with Cluster() as cluster, Site(cluster.url) as site:
        site.worker()
        site.worker()
        for node in range(3):
            site.feed(cluster.camera_on(node, "live"), fps=4)
        site.feed(cluster.camera_on(1, "file"), policy="every", fps=4)
        site.await_events()
        site.audit()

        cluster.kill_first()
        eventually(cluster.first_slots_are_served, FAILOVER_S + SCHEDULING_S)
        site.recovers()
        site.allow_rollback()
        site.audit()
        (event, *_) = take(subscribe(cluster.url, site.cameras[0], NOW), 1)
        assert event.camera == site.cameras[0]
