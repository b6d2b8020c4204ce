from store.db.leases import LEASE_S, Lease
from tasks.engine.tenure import MARGIN_S, Tenure, awake_s


def test_a_tenure_ends_before_its_lease_whatever_the_answer_took() -> None:
    asked_at, lease = awake_s(), Lease("a", 1, "lab")

    def lapsed(asked_at: float, left_s: float) -> bool:
        return Tenure(lease, lambda _: left_s, asked_at, left_s).lapsed

    assert not lapsed(asked_at, MARGIN_S + 60.0)
    assert lapsed(asked_at, MARGIN_S)
    assert lapsed(asked_at - 100.0, LEASE_S)
