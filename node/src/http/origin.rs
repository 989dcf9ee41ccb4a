//! Refuses requests of web pages, because the node's clients are programs.
//!
//! A page of any site can make a browser send requests to a node on loopback or in a home network. The browser
//! adds `Origin` with the page's site and `Sec-Fetch-Site: cross-site`. With DNS rebinding, page and node seem
//! to share a site, but `Host` then has a name that is not the node's.

use super::respond::Failure;
use crate::config::NodeConfig;
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN};
use hyper::{Request, Uri};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The names by which clients may call the node, besides addresses and `localhost`.
#[derive(Debug, Default)]
pub struct Names(BTreeSet<String>);

impl Names {
    /// The names of a configuration: the members', the node's own, and its `hosts`.
    pub fn of(config: &NodeConfig) -> Self {
        let members = config.members.iter().map(|member| &member.name);
        let names = members.chain(config.routes.keys()).chain([&config.name]).chain(&config.hosts);
        Self(names.map(|name| name.to_ascii_lowercase()).collect())
    }

    /// Refuses a request of another site's page, or with a host name that is not the node's.
    pub(super) fn check<B>(&self, request: &Request<B>) -> Result<(), Failure> {
        let headers = request.headers();
        self.check_host(request.uri(), headers)?;
        if let Some(origin) = headers.get(ORIGIN)
            && !is_same_site(origin, headers)
        {
            let origin = String::from_utf8_lossy(origin.as_bytes());
            return Err(Failure::forbidden(format!(
                "a page of {origin:?} may not send requests to this node; it serves programs, not pages of other sites"
            )));
        }
        match headers.get(SEC_FETCH_SITE).map(HeaderValue::as_bytes) {
            None | Some(b"none" | b"same-origin") => Ok(()),
            Some(_) => Err(Failure::forbidden(
                "a page of another site may not send requests to this node; it serves programs",
            )),
        }
    }

    fn check_host(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Failure> {
        let named = headers.get_all(HOST).iter().map(HeaderValue::as_bytes);
        let foreign = named
            .chain(uri.authority().map(|authority| authority.as_str().as_bytes()))
            .find(|host| !std::str::from_utf8(host).is_ok_and(|host| self.knows(host)));
        let Some(foreign) = foreign else { return Ok(()) };
        let foreign = String::from_utf8_lossy(foreign);
        Err(Failure::forbidden(format!(
            "the host {foreign:?} is no address, not localhost, and no name in this node's configuration; \
             ask by address, or add the name to \"hosts\" there"
        )))
    }

    fn knows(&self, host: &str) -> bool {
        if let Some(rest) = host.strip_prefix('[') {
            let Some((address, port)) = rest.split_once(']') else { return false };
            let port = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
            return port && address.parse::<Ipv6Addr>().is_ok();
        }
        let name = match host.split_once(':') {
            Some((name, port)) if is_port(port) => name,
            Some(_) => return false,
            None => host,
        };
        if name.parse::<IpAddr>().is_ok() {
            return true;
        }
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        name == "localhost" || name.ends_with(".localhost") || self.0.contains(&name)
    }
}

fn is_port(port: &str) -> bool {
    port.len() <= 5 && port.bytes().all(|digit| digit.is_ascii_digit())
}

/// Whether a page's site is the node itself, under the name in the request.
fn is_same_site(origin: &HeaderValue, headers: &HeaderMap) -> bool {
    let (Ok(origin), Some(host)) = (origin.to_str(), headers.get(HOST)) else { return false };
    let site = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    site.is_some_and(|site| site.as_bytes().eq_ignore_ascii_case(host.as_bytes()))
}

/// Refuses a body with another content type than JSON; pages may send forms and plain text anywhere.
pub(super) fn expect_json(headers: &HeaderMap) -> Result<(), Failure> {
    let Some(kind) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let essence = kind.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Failure::unsupported(format!(
        "this path accepts JSON, but the content-type is {essence:?}; send application/json (curl: --json)"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&str, &str)]) -> bool {
        let names = Names(["n1", "store.example.org"].map(str::to_owned).into());
        let mut request = Request::get("/kv/a");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        names.check(&request.body(()).unwrap()).is_ok()
    }

    #[test]
    fn addresses_and_own_names_are_hosts() {
        for host in [
            "127.0.0.1",
            "127.0.0.1:7001",
            "10.1.2.3:80",
            "[::1]",
            "[::1]:7001",
            "localhost",
            "LocalHost:7001",
            "a.localhost:1",
            "localhost.",
            "n1:7001",
            "N1",
            "store.example.org:443",
        ] {
            assert!(check(&[("host", host)]), "{host}");
        }
        assert!(check(&[]), "browsers always send it");
    }

    #[test]
    fn other_names_are_foreign() {
        for host in [
            "x",
            "evil.example",
            "evil.example:7001",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "n2",
            "[::1].evil.example",
            "[::1",
            "127.0.0.1:80:evil",
            "evil@127.0.0.1",
            "",
            "127.0.0.1:x",
            "xlocalhost",
        ] {
            assert!(!check(&[("host", host)]), "{host}");
        }
        assert!(!check(&[("host", "127.0.0.1"), ("host", "evil.example")]), "each of several counts");
    }

    #[test]
    fn pages_of_other_sites_are_refused() {
        let host = ("host", "127.0.0.1:7001");
        for origin in
            ["http://evil.example", "null", "http://127.0.0.1:3000", "http://localhost:7001", "file://", ""]
        {
            assert!(!check(&[host, ("origin", origin)]), "{origin}");
        }
        assert!(check(&[host, ("origin", "http://127.0.0.1:7001")]));
        for site in ["cross-site", "same-site"] {
            assert!(!check(&[host, ("sec-fetch-site", site)]), "{site}");
        }
        assert!(check(&[host, ("sec-fetch-site", "none")]), "typed into a browser");
        let rebound = [("host", "evil.example:7001"), ("origin", "http://evil.example:7001")];
        assert!(!check(&rebound));
    }

    #[test]
    fn json_is_not_sent_as_a_form() {
        let check = |kind: &'static str| {
            expect_json(&HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))])).is_ok()
        };
        assert!(check("application/json") && check("Application/JSON; charset=utf-8"));
        for kind in
            ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "text/json"]
        {
            assert!(!check(kind), "{kind}");
        }
        assert!(expect_json(&HeaderMap::new()).is_ok());
    }
}
