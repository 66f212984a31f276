//! Records → file → records, and what lies in between.

mod damage;
mod engines;
mod fixture;
mod layout;
mod reading;
mod round_trip;
mod samples;
mod verifying;
mod writing;
