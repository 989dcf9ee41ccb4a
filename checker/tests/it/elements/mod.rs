//! The checks of elements: histories worked by hand, definitions applied naively, and whatever JSON there is.

mod accounts;
mod anything;
mod counters;
mod echo;
mod kafka;
mod large;
mod naive;
mod orders;
mod properties;
mod queues;
mod rng;
mod script;
mod sets;
mod visible;
