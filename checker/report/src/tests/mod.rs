//! The report of whole run folders: figures, files, pictures, page.

mod built;
mod figures;
mod first_screen;
pub(crate) mod fixture;
mod folders;
mod gallery;
mod obligations;
mod promises;
mod queues;
mod recovery;
mod rounds;
mod words;

use super::*;

fn no_deadline(_: Duration) -> Box<dyn Fn() -> bool + Sync> {
    Box::new(|| false)
}
