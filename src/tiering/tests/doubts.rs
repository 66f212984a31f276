//! A log start of which nobody knows whether it was committed.

use super::stage::Stage;
use crate::model::Offset;

#[tokio::test]
async fn a_log_start_whose_answer_was_lost_is_followed() {
    let stage = Stage::new().await;
    stage.segment();
    stage.segment();
    stage.upload_all().await;
    stage.catalog.lose_next_answer();
    let moved = stage.log.advance_log_start(Offset::new(40)).await.expect("the catalog has it");
    assert_eq!(moved.get(), 40);
    assert_eq!((stage.log.view().log_start.get(), stage.log.log.log_start_offset().get()), (40, 40));
    assert_eq!(stage.rows().await.len(), 2);
    stage.tiers.close().await;
}

/// Nor could the catalog be asked then: retention does it in its next round.
#[tokio::test]
async fn a_log_start_that_nobody_could_ask_about_is_followed_in_the_next_round() {
    let stage = Stage::new().await;
    stage.segment();
    stage.segment();
    stage.upload_all().await;
    // As a commit that happens behind the answer's end.
    stage.catalog.advance_log_start(stage.tp(), stage.log.leader_epoch(), Offset::new(40)).await.unwrap();
    stage.log.bring_log_forward().await.unwrap();
    assert_eq!(stage.log.view().log_start, Offset::ZERO, "without a doubt nobody asks");
    stage.log.raise_doubt();
    stage.log.bring_log_forward().await.unwrap();
    assert_eq!((stage.log.view().log_start.get(), stage.log.log.log_start_offset().get()), (40, 40));
    stage.tiers.close().await;
}
