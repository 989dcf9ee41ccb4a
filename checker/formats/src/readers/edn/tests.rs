//! Reading into columns against reading events, which is the oracle.

use super::super::super::{Options, read};
use super::columns::in_blocks;
use std::io::Cursor;

/// Reads a text in both ways. Where the text is read in place, both give the same; returns whether it was.
fn both(text: &[u8], options: &Options, block: usize) -> bool {
    let Some(mut in_place) = in_blocks(&mut Cursor::new(text), "h.edn", options, block) else { return false };
    let mut events = read(text, "h.edn", options).expect("what is read in place can be read");
    assert_eq!(in_place.take_operations().unwrap().to_vec(), events.take_operations().unwrap().to_vec());
    let parts = |read: &crate::Read| {
        let state = (read.unfinished, read.order, read.open_end, read.reorders);
        (
            read.format,
            read.header.clone(),
            read.model.clone(),
            read.notes.clone(),
            read.unjudged.clone(),
            state,
        )
    };
    assert_eq!(parts(&in_place), parts(&events));
    true
}

const REGISTER: &str = r#"
; a comment with {:type :invoke, :process 9, :f :write, :value 1} in it, and an ü
{:index 0, :time 5, :type :invoke, :process 0, :f :write, :value [1 17]}
{:index 1, :time 6, :type :invoke, :process 1, :f :read, :value [2 nil]}, #_{:type :ok, :process 1, :f :x}
{:index 2 :time 6 :type :info :process :nemesis :f :start :value [:isolated {"n1" #{"n2"}}]}
#jepsen.history.Op{:index 3, :time 7, :type :ok, :process 0, :f :write, :value [1 17]}
{:value [2 -4], :f :read, :process 1, :type :ok, :index 4, :time 7, :extra #inst "2020"}
{:index 5, :time 8, :type :invoke, :process 1, :f :cas, :value [1 [17 18]]}
{:index 6, :time 8, :type :invoke, :process 0, :f :cas, :value [1 [17 19]]}
{:index 7, :time 9, :type :fail, :process 1, :f :cas, :value [1 [17 18]], :error [:no "way \"out\""]}
{:index 8, :time 9, :type :info, :process 0, :f :cas, :value :timed-out}
{:index 9, :time 9, :type :invoke, :process 2, :f :write, :value [2 "é\n"]}
"#;

const TRANSACTIONS: &str = "[{:type :invoke :f :txn :process 0 :value [[:r :x nil] [:append 3 1]]}\n
 {:type :invoke :f :txn :process 1 :value [[:r 1 nil], [:r 2]]} {:type :ok :f :txn :process 1 :value [[:r 1 [1 2 :a]] [:r 2 []]]}
 {:type :info :f :txn :process 0 :value [[:r :x [1]] [:append 3 1]] :error :timeout} #_ 1 ]\n; end";

#[test]
fn blocks_of_any_size_are_read_alike() {
    let options = Options::default();
    for text in [REGISTER, TRANSACTIONS] {
        for block in 1..=text.len() + 1 {
            // The first block shows the format, or is left to the other way.
            let whole = both(text.as_bytes(), &options, block);
            assert!(whole || block < 200, "blocks of {block} bytes");
        }
    }
}

#[test]
fn cut_files_are_read_alike() {
    for text in [REGISTER, TRANSACTIONS] {
        for cut in 0..text.len() {
            both(&text.as_bytes()[..cut], &Options::default(), 1 << 10);
        }
    }
}

#[test]
fn damaged_bytes_are_read_alike() {
    for text in [REGISTER, TRANSACTIONS] {
        for at in 0..text.len() {
            for byte in *b"0-:\"\\,}][{ \nn1;#\xff" {
                let mut changed = text.as_bytes().to_vec();
                changed[at] = byte;
                both(&changed, &Options::default(), 1 << 10);
            }
        }
    }
}

#[test]
fn what_a_user_says_is_read_alike() {
    let independent = |said| Options { independent: Some(said), ..Options::default() };
    let model = |name: &str| Options { model: Some(name.to_owned()), ..Options::default() };
    for text in [REGISTER, TRANSACTIONS] {
        for options in [
            independent(true),
            independent(false),
            model("register"),
            model("versioned-register"),
            model("list-append"),
        ] {
            both(text.as_bytes(), &options, 1 << 10);
        }
    }
    assert!(both(REGISTER.as_bytes(), &independent(true), 1 << 10));
    assert!(both(TRANSACTIONS.as_bytes(), &model("list-append"), 1 << 10));
}
