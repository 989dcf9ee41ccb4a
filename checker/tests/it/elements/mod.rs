//! The checks of elements: histories worked by hand, definitions applied naively, and whatever JSON there is.

mod accounts;
mod anything;
mod chance;
mod counters;
mod large;
mod naive;
mod orders;
mod properties;
mod queues;
mod script;
mod sets;
