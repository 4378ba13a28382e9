//! Which server, how to trust it, and who is asking.

use std::{fmt, path::Path};

use crate::{LoadError, kubeconfig};

/// A server to talk to and the credentials to use there.
#[derive(Clone, Debug)]
pub struct Target {
    /// Scheme, host and port, such as `http://127.0.0.1:8080` or `https://[::1]:6443`; a path
    /// after it is put before every request's path.
    pub base: String,
    /// How the server's certificate is checked; without effect for `http://`.
    pub tls: TlsTrust,
    /// Who is asking.
    pub auth: Auth,
    /// The name that the server's certificate must carry, when it is not the host of
    /// [`base`](Self::base) (`tls-server-name` of a kubeconfig).
    pub server_name: Option<String>,
}

/// How a server's certificate is checked.
#[derive(Clone, Debug)]
pub enum TlsTrust {
    /// Not at all, as `curl -k` does.
    InsecureSkip,
    /// Against these PEM certificates.
    Ca(String),
}

/// Who is asking.
#[derive(Clone)]
pub enum Auth {
    /// Nobody in particular: `system:anonymous`, or whatever the server makes of it.
    None,
    /// `Authorization: Bearer`.
    Token(String),
    /// A TLS client certificate.
    ClientCert {
        /// The certificate and its chain, PEM.
        cert_pem: String,
        /// Its private key, PEM.
        key_pem: String,
    },
}

/// The parts of [`Target::base`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Endpoint {
    /// Whether TLS is spoken.
    pub https: bool,
    /// Name or address, without the brackets of an IPv6 address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The path that goes before every request's own, without a slash at its end; often empty.
    pub prefix: String,
}

impl Target {
    /// A server without credentials; over `https://` its certificate is not checked.
    pub fn new(base: impl Into<String>) -> Self {
        Self { base: base.into(), tls: TlsTrust::InsecureSkip, auth: Auth::None, server_name: None }
    }

    /// The server of a context of a kubeconfig; `None` is its current context.
    ///
    /// # Errors
    /// When the file cannot be read, or asks for something that is not built (`exec` plugins).
    pub fn from_kubeconfig(path: &Path, context: Option<&str>) -> Result<Self, LoadError> {
        kubeconfig::load(path, context)
    }

    /// Takes [`base`](Self::base) apart.
    ///
    /// # Errors
    /// When it is not an `http://` or `https://` URL with a host.
    pub fn endpoint(&self) -> Result<Endpoint, LoadError> {
        self.base.parse()
    }
}

impl std::str::FromStr for Endpoint {
    type Err = LoadError;

    fn from_str(base: &str) -> Result<Self, LoadError> {
        let wrong = |message: &str| LoadError::usage("server", format!("{base:?} {message}"));
        let uri: http::Uri = base.parse().map_err(|_| wrong("is not a URL"))?;
        let https = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong("must start with http:// or https://")),
        };
        let host = uri.host().ok_or_else(|| wrong("names no host"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        if uri.query().is_some() {
            return Err(wrong("must not have a query"));
        }
        let port = uri.port_u16().unwrap_or(if https { 443 } else { 80 });
        let prefix = uri.path().trim_end_matches('/').to_owned();
        Ok(Self { https, host, port, prefix })
    }
}

impl Endpoint {
    /// Host and port as a `Host` header or `:authority` has them.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// Says which kind of credential there is, never the credential.
impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Token(_) => "Token(..)",
            Self::ClientCert { .. } => "ClientCert(..)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let endpoint: Endpoint = "https://[::1]:6443/k8s/".parse().unwrap();
        assert_eq!(
            endpoint,
            Endpoint { https: true, host: "::1".into(), port: 6443, prefix: "/k8s".into() }
        );
        assert_eq!(endpoint.authority(), "[::1]:6443");
        let endpoint: Endpoint = "http://localhost".parse().unwrap();
        assert_eq!((endpoint.port, endpoint.prefix.as_str()), (80, ""));
    }

    #[test]
    fn what_is_not_a_server_url_is_refused_with_its_text() {
        for base in ["127.0.0.1:80", "ftp://x", "http://h/?a=b", "", "https://"] {
            let error = base.parse::<Endpoint>().unwrap_err();
            assert_eq!(error.exit_code(), 2, "{base}");
            assert!(error.to_string().starts_with("server: "), "{error}");
        }
    }

    #[test]
    fn a_credential_is_not_printed() {
        let mut target = Target::new("http://h");
        target.auth = Auth::Token("s3cret".into());
        assert!(!format!("{target:?}").contains("s3cret"));
    }
}
