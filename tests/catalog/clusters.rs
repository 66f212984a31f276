//! Whose catalog it is, who may open it, how often it was started, which ids it gave out.

use tidelog::catalog::OpenError;
use tidelog::model::BrokerId;

use crate::home::Home;
use crate::rows::BROKER;

over_both! {
    async fn a_cluster_keeps_its_id_and_its_start_number_rises(home: &Home) {
        let catalog = home.open().await;
        assert_eq!(catalog.cluster("another").await.unwrap().cluster_id, "AAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(catalog.raise_start_number().await.unwrap().start_number, 1);
        catalog.close().await;
        let catalog = home.open().await;
        let row = catalog.raise_start_number().await.unwrap();
        assert_eq!((row.start_number, row.incarnation, row.format_version), (2, 1, 1));
    }

    async fn a_second_opener_is_refused_and_told_what_helps(home: &Home) {
        let catalog = home.open().await;
        let Err(error) = home.try_open().await else { panic!("opened twice") };
        assert!(matches!(error, OpenError::InUse { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains("the first broker") && text.contains("stop that one"), "{text}");
        catalog.close().await;
        home.try_open().await.unwrap();
    }

    async fn producer_ids_never_come_twice_not_even_after_a_restore(home: &Home) {
        let catalog = home.open().await;
        let both = futures::future::join_all((0..20).map(|_| catalog.take_producer_ids(100, 0))).await;
        let mut first: Vec<i64> = both.into_iter().map(|id| id.unwrap().0).collect();
        first.sort_unstable();
        assert_eq!(first, (0..20).map(|n| (1 << 40) + n * 100).collect::<Vec<_>>());
        catalog.close().await;
        // A restore raises the incarnation and may know an old counter.
        let mut raw = home.raw().await;
        raw.execute("UPDATE clusters SET incarnation = 2; UPDATE producer_ids SET next_number = 100").await;
        raw.close().await;
        let catalog = home.open().await;
        assert_eq!(catalog.take_producer_ids(100, 0).await.unwrap().0, (2 << 40) + 100);
    }

    async fn a_broker_has_the_directory_that_it_registered_last(home: &Home) {
        let catalog = home.open().await;
        assert_eq!(catalog.broker(BROKER).await.unwrap(), None);
        catalog.register_broker(BROKER, "first").await.unwrap();
        catalog.register_broker(BROKER, "second").await.unwrap();
        assert_eq!(catalog.broker(BROKER).await.unwrap().unwrap().directory_ids, ["second"]);
        assert_eq!(catalog.broker(BrokerId(2)).await.unwrap(), None);
    }
}
