//! Flags that say which server.

use std::{fs, path::PathBuf};

use clap::Args;

use crate::{Auth, LoadError, Target, TlsTrust};

#[derive(Args, Debug)]
pub(super) struct TargetArgs {
    /// URL of the server, e.g. http://127.0.0.1:8080; there is no default
    #[arg(long, value_name = "URL", conflicts_with = "kubeconfig")]
    server: Option<String>,

    /// Kubeconfig with server and credentials
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,

    /// Context of the kubeconfig [default: its current one]
    #[arg(long, visible_alias = "kube-context", value_name = "NAME", requires = "kubeconfig")]
    context: Option<String>,

    /// Bearer token
    #[arg(long, value_name = "TOKEN", requires = "server")]
    token: Option<String>,

    /// PEM file that the server's certificate is checked against [default: it is not checked]
    #[arg(long, value_name = "FILE", requires = "server")]
    certificate_authority: Option<PathBuf>,

    /// PEM file with a client certificate
    #[arg(long, value_name = "FILE", requires_all = ["server", "client_key"])]
    client_certificate: Option<PathBuf>,

    /// PEM file with the client certificate's key
    #[arg(long, value_name = "FILE", requires = "client_certificate")]
    client_key: Option<PathBuf>,
}

impl TargetArgs {
    pub(super) fn target(&self) -> Result<Target, LoadError> {
        if let Some(path) = &self.kubeconfig {
            return Target::from_kubeconfig(path, self.context.as_deref());
        }
        let Some(server) = &self.server else {
            // Never $KUBECONFIG or ~/.kube/config: a storm must not hit what nobody named.
            return Err(LoadError::usage("--server", "or --kubeconfig must be given"));
        };
        let mut target = Target::new(server.trim_end_matches('/'));
        target.endpoint()?;
        if let Some(path) = &self.certificate_authority {
            target.tls = TlsTrust::Ca(read(path)?);
        }
        if let (Some(cert), Some(key)) = (&self.client_certificate, &self.client_key) {
            target.auth = Auth::ClientCert { cert_pem: read(cert)?, key_pem: read(key)? };
        }
        if let Some(token) = &self.token {
            target.auth = Auth::Token(token.clone());
        }
        Ok(target)
    }
}

fn read(path: &PathBuf) -> Result<String, LoadError> {
    fs::read_to_string(path).map_err(|e| LoadError::file(path, e.to_string()))
}
