//! Asks a Redis server for its role.

use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How `ROLE` is answered by one that takes itself for the primary.
const PRIMARY: &str = "master\r\n";

/// Whether a server takes itself for the primary; an error if it does not answer.
pub(super) async fn leads(address: SocketAddr) -> io::Result<bool> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"ROLE\r\n").await?;
    let mut said = Vec::new();
    // The second line of the answer has the length of the role, and the third the role itself.
    while said.split(|byte| *byte == b'\n').count() < 4 {
        if stream.read_buf(&mut said).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let said = String::from_utf8_lossy(&said);
    Ok(said.split_inclusive('\n').nth(2) == Some(PRIMARY))
}
