//! Settings of brokers that were changed while they ran.

use std::collections::BTreeMap;

use tidelog::model::BrokerId;

use crate::home::Home;

fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

over_both! {
    async fn a_brokers_settings_are_its_own_and_outlive_a_restart(home: &Home) {
        let catalog = home.open().await;
        let (one, other) = (Some(BrokerId(1)), Some(BrokerId(2)));
        assert!(catalog.broker_configs(one).await.unwrap().is_empty());
        catalog.set_broker_configs(one, values(&[("a", "1"), ("b", "2")])).await.unwrap();
        catalog.set_broker_configs(None, values(&[("a", "9")])).await.unwrap();
        catalog.set_broker_configs(one, values(&[("b", "3"), ("c", "")])).await.unwrap();
        catalog.close().await;
        let catalog = home.open().await;
        assert_eq!(catalog.broker_configs(one).await.unwrap(), values(&[("b", "3"), ("c", "")]));
        assert_eq!(catalog.broker_configs(None).await.unwrap(), values(&[("a", "9")]));
        assert!(catalog.broker_configs(other).await.unwrap().is_empty());
        catalog.set_broker_configs(one, BTreeMap::new()).await.unwrap();
        assert!(catalog.broker_configs(one).await.unwrap().is_empty());
    }
}
