//! A client of one request per connection that shows exactly what came over the wire, also when it broke off.

use std::io;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    /// The body, with chunks put together; shorter than announced if the transfer broke off.
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }

    /// The ids of an array of records.
    pub(crate) fn ids(&self) -> Vec<u64> {
        ids(&self.json())
    }
}

/// The ids of an array of records.
pub(crate) fn ids(records: &Value) -> Vec<u64> {
    let records = records.as_array().expect("an array of records");
    records
        .iter()
        .map(|record| record["id"].as_u64().expect("a numeric id"))
        .collect()
}

pub(crate) async fn get(url: &str) -> Reply {
    request("GET", url, &[], b"")
        .await
        .expect("the server answers")
}

pub(crate) async fn get_with(url: &str, headers: &[(&str, &str)]) -> Reply {
    request("GET", url, headers, b"")
        .await
        .expect("the server answers")
}

pub(crate) async fn post(url: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    request("POST", url, headers, body)
        .await
        .expect("the server answers")
}

/// Sends one request and reads until the server closes.
pub(crate) async fn request(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Reply> {
    let (mut stream, head) = send(method, url, headers, body).await?;
    stream.write_all(&head).await?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await?;
    parse(&bytes).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// Sends one request and reads `limit` bytes of the answer, head included, then hangs up.
pub(crate) async fn peek(url: &str, limit: usize) -> io::Result<Vec<u8>> {
    let (mut stream, head) = send("GET", url, &[], b"").await?;
    stream.write_all(&head).await?;
    let mut bytes = vec![0; limit];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

async fn send(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<(TcpStream, Vec<u8>)> {
    let (host, path) = url
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .expect("an http URL with a path");
    let mut head = format!(
        "{method} /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(body);
    Ok((TcpStream::connect(host).await?, bytes))
}

fn parse(bytes: &[u8]) -> Option<Reply> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let header = |line: &str| {
        line.split_once(": ")
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
    };
    let headers: Vec<_> = lines.filter_map(header).collect();
    let is_chunked = headers
        .iter()
        .any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    let body = &bytes[end + 4..];
    let body = if is_chunked {
        unchunk(body)
    } else {
        body.to_vec()
    };
    Some(Reply {
        status,
        headers,
        body,
    })
}

fn unchunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(line_end) = rest.windows(2).position(|window| window == b"\r\n") {
        let size = std::str::from_utf8(&rest[..line_end])
            .ok()
            .and_then(|text| usize::from_str_radix(text, 16).ok());
        let chunk = size
            .filter(|size| *size > 0)
            .and_then(|size| rest.get(line_end + 2..line_end + 2 + size));
        let Some(chunk) = chunk else { break };
        body.extend_from_slice(chunk);
        rest = rest
            .get(line_end + 2 + chunk.len() + 2..)
            .unwrap_or_default();
    }
    body
}
