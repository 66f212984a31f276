//! Control files: written once, and replaced only over what was read.

use std::sync::Arc;

use bytes::Bytes;
use tidelog::object_storage::{
    ControlError, Effect, ErrorKind, Expect, Fault, FaultPlan, Operation, SelfTestReport, key,
};

use crate::home::Home;

fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

over_all! {
    async fn a_control_file_is_replaced_only_over_what_was_read(home: &Home) {
        let bucket = home.open().await;
        let name = key::cluster();
        assert_eq!(bucket.read_control(&name).await.unwrap(), None);
        let first = bucket.write_control(&name, bytes("1"), Expect::Absent).await.unwrap();
        assert_eq!(bucket.read_control(&name).await.unwrap(), Some((bytes("1"), first.clone())));
        let refused = bucket.write_control(&name, bytes("x"), Expect::Absent).await;
        assert!(matches!(refused, Err(ControlError::Conflict(_))), "{refused:?}");
        let second = bucket.write_control(&name, bytes("2"), Expect::Version(first.clone())).await.unwrap();
        assert_ne!(first, second);
        let refused = bucket.write_control(&name, bytes("x"), Expect::Version(first)).await;
        assert!(matches!(refused, Err(ControlError::Conflict(_))), "{refused:?}");
        assert_eq!(bucket.read_control(&name).await.unwrap(), Some((bytes("2"), second.clone())));
        bucket.delete(&name).await.unwrap();
        let refused = bucket.write_control(&name, bytes("x"), Expect::Version(second)).await;
        assert!(matches!(refused, Err(ControlError::Conflict(_))), "what is gone is another version: {refused:?}");
        assert_eq!(bucket.read_control(&name).await.unwrap(), None);
    }

    async fn a_write_that_lost_its_answer_is_known_by_its_bytes(home: &Home) {
        let plan = FaultPlan::new();
        let bucket = home.open_with(|options| options.faults = Some(Arc::clone(&plan))).await;
        let name = key::cluster();
        let lost = || Fault::new(Effect::DoneButFails(ErrorKind::Unavailable)).on(Operation::WriteControl).times(1);
        plan.add(lost());
        let first = bucket.write_control(&name, bytes("1"), Expect::Absent).await.unwrap();
        plan.add(lost());
        let second = bucket.write_control(&name, bytes("2"), Expect::Version(first)).await.unwrap();
        assert_eq!(plan.met(), 2);
        assert_eq!(bucket.read_control(&name).await.unwrap(), Some((bytes("2"), second)));
    }

    async fn the_self_test_passes_and_leaves_nothing(home: &Home) {
        let bucket = home.open().await;
        let SelfTestReport { warnings } = bucket.self_test().await.unwrap();
        for warning in &warnings {
            eprintln!("{warning}");
            assert!(warning.contains("unfinished uploads"), "{warning}");
        }
        let mut left = bucket.list(&key::all());
        assert_eq!(futures::TryStreamExt::try_next(&mut left).await.unwrap(), None);
    }
}
