//! The log: nothing below what a sync returned is missing, no offset has two records, recovery needs no operator, and
//! indexes, producers, epochs and aborted transactions are right.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tidelog::disk::recorded::{PowerCut, RecordedDisk};

use crate::checks::check;
use crate::history::{Life, Note, Setting, sub_seed};
use crate::model::Model;
use crate::{deep, for_each_seed};

/// Power cuts in one history.
const LIVES: u64 = 2;
const STEPS: usize = 30;

/// Some of the states there may be after a cut.
fn states(cut: &PowerCut, at: usize, random: &mut StdRng) -> Vec<RecordedDisk> {
    let mut states: Vec<_> = match at % 2 {
        _ if deep() => vec![cut.all_lost(), cut.all_kept()],
        0 => vec![cut.all_lost()],
        _ => vec![cut.all_kept()],
    };
    let samples = if deep() { 6 } else { 1 };
    states.extend((0..samples).map(|_| cut.sample(random)));
    states
}

/// Recovers a state and checks it; now and then with another cut while it recovers, or a third after a few appends.
fn recover(life: &Life, state: &RecordedDisk, at: usize, random: &mut StdRng) -> Model {
    let (before, after) = life.around(at);
    let (log, _) = life.setting.open(state, before.model.log_start).expect("recovery needs no operator");
    let found = check(&log, before, after);
    drop(log);
    match random.random_range(0..6u8) {
        0 => {
            let again = random.random_range(0..=state.position());
            let state = state.power_cut(again).sample(random);
            let (log, _) = life.setting.open(&state, before.model.log_start).expect("recovery can be cut off");
            check(&log, before, after);
        }
        1 => go_on(life, state, &found, random),
        2 => {
            let (log, _) = life.setting.open(state, found.log_start).expect("it opens again");
            let now = Note { position: 0, model: Model { durable_end: found.end(), ..found.clone() } };
            check(&log, &now, &now);
        }
        _ => {}
    }
    found
}

/// The recovered log takes appends, and a sync makes them stable.
fn go_on(life: &Life, state: &RecordedDisk, found: &Model, random: &mut StdRng) {
    let mut next = Life::begin(state.clone(), life.setting.clone(), found.clone(), 900);
    next.append_plain(random);
    next.sync();
    let expected = Note { position: 0, model: next.model.clone() };
    let left = next.disk.power_cut(next.disk.position()).all_lost();
    let (log, _) = life.setting.open(&left, found.log_start).expect("it opens");
    check(&log, &expected, &expected);
}

/// One history and what a power cut at any moment of it leaves.
pub fn run(seed: u64, disk: RecordedDisk) {
    let mut random = StdRng::seed_from_u64(seed);
    let setting = Setting::random(&mut random);
    let (mut disk, mut model) = (disk, Model::default());
    for number in 0..LIVES {
        let mut life = Life::begin(disk, setting.clone(), model, number);
        for _ in 0..STEPS {
            life.step(&mut random);
        }
        let last = life.disk.position();
        let go_on_at = random.random_range(0..=last);
        let mut next = None;
        for at in 0..=last {
            for state in states(&life.disk.power_cut(at), at, &mut random) {
                let mut own = StdRng::seed_from_u64(sub_seed(&mut random));
                let pristine = (at == go_on_at).then(|| state.power_cut(0).all_kept());
                let found = attempt(&life, &state, at, seed, &mut own);
                if let Some(pristine) = pristine {
                    next = Some((pristine, found));
                }
            }
        }
        (disk, model) = next.expect("one of the cuts was chosen");
    }
}

/// Recovers a state, and says what led to it where that fails.
fn attempt(life: &Life, state: &RecordedDisk, at: usize, seed: u64, random: &mut StdRng) -> Model {
    catch_unwind(AssertUnwindSafe(|| recover(life, state, at, random))).unwrap_or_else(|panic| {
        let (before, after) = life.around(at);
        println!("seed {seed}, {:?}", life.setting);
        println!("{}", life.steps.join("\n"));
        println!("{}", state.story());
        println!("promised: {:?}\nto be: {:?}", before.model, after.model);
        for (number, operation) in life.disk.journal().iter().enumerate().take(at + 1) {
            println!("#{number} {operation}");
        }
        std::panic::resume_unwind(panic)
    })
}

#[test]
fn one_seed_gives_one_history() {
    let history = |seed| {
        let mut random = StdRng::seed_from_u64(seed);
        let setting = Setting::random(&mut random);
        let mut life = Life::begin(RecordedDisk::new(), setting, Model::default(), 0);
        for _ in 0..100 {
            life.step(&mut random);
        }
        (life.steps.clone(), life.disk.journal())
    };
    for seed in 0..5 {
        let (one, other) = (history(seed), history(seed));
        assert_eq!(one.0, other.0);
        assert_eq!(one.1, other.1);
    }
    assert_ne!(history(1).0, history(2).0);
}

#[test]
fn whatever_a_power_cut_leaves_is_recovered_and_holds_what_was_promised() {
    for_each_seed(4, |seed| run(seed, RecordedDisk::new()));
}

/// Every combination of fates, for lives so short that there are few.
#[test]
fn every_state_after_a_short_life_is_recovered() {
    let states_seen = AtomicUsize::new(0);
    for_each_seed(2, |seed| {
        let mut random = StdRng::seed_from_u64(seed);
        let setting = Setting::random(&mut random);
        let mut life = Life::begin(RecordedDisk::new(), setting, Model::default(), 0);
        for _ in 0..3 {
            life.append_plain(&mut random);
            life.append_plain(&mut random);
            life.sync();
            life.step(&mut random);
        }
        for at in 0..=life.disk.position() {
            // Where there are too many the other test looks at some.
            let Some(states) = life.disk.power_cut(at).every(200) else { continue };
            states_seen.fetch_add(states.len(), Ordering::Relaxed);
            for state in states {
                attempt(&life, &state, at, seed, &mut random);
            }
        }
    });
    assert!(states_seen.load(Ordering::Relaxed) > 300, "{states_seen:?}");
}
