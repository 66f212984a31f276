//! A group with a clock that is moved by hand, a store that can be told to fail, and everyone's answers.
