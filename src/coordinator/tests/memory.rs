//! Groups in memory: those at rest leave it and come back as they were.

use super::bench::Bench;

const HOUR_MS: u64 = 60 * 60 * 1000;

#[tokio::test]
async fn groups_at_rest_leave_memory_and_come_back() {
    let bench = Bench::start().await;
    for n in 0..50 {
        bench.commit(&format!("g{n}"), 0, n).await.unwrap();
    }
    let members = bench.stable("busy", 1).await;
    assert_eq!(bench.coordinator.in_memory().0, 51);
    bench.coordinator.tidy().await;
    assert_eq!(bench.coordinator.in_memory().0, 51, "they were just asked for");
    for _ in 0..50 {
        bench.pass(9_000).await;
        bench.heartbeat("busy", &members[0]).await.unwrap();
    }
    bench.coordinator.tidy().await;
    assert_eq!(bench.coordinator.in_memory().0, 1);
    assert_eq!(bench.coordinator.list().await.unwrap().len(), 51, "and are still listed");
    assert_eq!(bench.committed("g7", 0).await, Some(7));
    bench.commit("g7", 1, 8).await.unwrap();
    assert_eq!((bench.committed("g7", 0).await, bench.committed("g7", 1).await), (Some(7), Some(8)));
    assert_eq!(bench.coordinator.in_memory().0, 2);
}

#[tokio::test]
async fn memory_is_counted_as_it_comes_and_goes() {
    let bench = Bench::start().await;
    assert_eq!(bench.coordinator.in_memory(), (0, 0));
    bench.commit("g", 0, 1).await.unwrap();
    let one = bench.coordinator.in_memory().1;
    bench.commit("g", 1, 1).await.unwrap();
    let two = bench.coordinator.in_memory().1;
    assert!(two > one && one > 1024);
    bench.commit("g", 1, 1).await.unwrap();
    assert_eq!(bench.coordinator.in_memory().1, two);
    let bench = bench.restart().await;
    assert_eq!(bench.committed("g", 0).await, Some(1));
    assert_eq!(bench.coordinator.in_memory().1, two);
    bench.coordinator.delete_group("g").await.unwrap();
    assert_eq!(bench.coordinator.in_memory(), (0, 0));
    for n in 0..20 {
        assert_eq!(bench.committed(&format!("nobody's {n}"), 0).await, None);
    }
    assert_eq!(bench.coordinator.in_memory(), (0, 0), "asking for groups that do not exist costs nothing");
    bench.pass(HOUR_MS).await;
}
