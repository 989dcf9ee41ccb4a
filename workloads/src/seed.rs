//! Seeds of the random generators of a load: one for each client, one for the arrivals of each phase.

use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};

/// The generator of one stream of a seed.
fn stream(seed: u64, number: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(number);
    rng
}

/// The seed of each client, in the order of their numbers; what a plan writes down.
pub fn client_seeds(seed: u64, clients: u32) -> Vec<u64> {
    (0..clients).map(|client| stream(seed, u64::from(client)).next_u64()).collect()
}

/// The stream of the arrivals in the phase that runs as number `run`, counted from 0.
pub(crate) fn arrivals(seed: u64, run: u64) -> ChaCha8Rng {
    stream(seed, u64::MAX - run)
}
