//! Kubeconfig files: the server and the credentials of one context.
//!
//! What a load generator needs of them and no more: one file, no merging, no `exec` plugins, no
//! basic authentication (kube-apiserver dropped it in 1.19).

use std::{
    fs,
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;

use crate::{Auth, LoadError, Target, TlsTrust};

/// The target of `context`, or of the current context.
///
/// # Errors
/// [`LoadError::File`] with the field that is missing or cannot be used.
pub fn load(path: &Path, context: Option<&str>) -> Result<Target, LoadError> {
    let text = fs::read_to_string(path).map_err(|e| LoadError::file(path, e.to_string()))?;
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    parse(&text, folder, context).map_err(|message| LoadError::file(path, message))
}

fn parse(text: &str, folder: &Path, context: Option<&str>) -> Result<Target, String> {
    let config: File = serde_saphyr::from_str(text).map_err(|e| first_line(&e.to_string()))?;
    let wanted = context
        .or(config.current_context.as_deref())
        .filter(|name| !name.is_empty())
        .ok_or("current-context is not set and no context was named")?;
    let context = find(&config.contexts, wanted)
        .and_then(|c| c.context.as_ref())
        .ok_or_else(|| format!("contexts: none is named {wanted:?}"))?;
    let cluster = find(&config.clusters, &context.cluster)
        .and_then(|c| c.cluster.as_ref())
        .ok_or_else(|| format!("clusters: none is named {:?}", context.cluster))?;
    let user = find(&config.users, &context.user)
        .and_then(|u| u.user.as_ref())
        .ok_or_else(|| format!("users: none is named {:?}", context.user));
    let auth = if context.user.is_empty() { Auth::None } else { user?.auth(folder)? };
    Ok(Target {
        base: cluster.server.clone(),
        tls: cluster.trust(folder)?,
        auth,
        server_name: cluster.tls_server_name.clone().filter(|name| !name.is_empty()),
    })
}

impl Cluster {
    fn trust(&self, folder: &Path) -> Result<TlsTrust, String> {
        if self.insecure_skip_tls_verify || self.server.starts_with("http://") {
            return Ok(TlsTrust::InsecureSkip);
        }
        let data = self.certificate_authority_data.as_deref();
        let ca = pem(
            ("certificate-authority-data", data),
            ("certificate-authority", self.certificate_authority.as_deref()),
            folder,
        )?;
        ca.map(TlsTrust::Ca).ok_or_else(|| {
            "clusters: no certificate-authority; the system's own list of authorities is not \
             used here, give one or insecure-skip-tls-verify"
                .to_owned()
        })
    }
}

impl User {
    fn auth(&self, folder: &Path) -> Result<Auth, String> {
        for (field, there) in [
            ("exec", self.exec.is_some()),
            ("auth-provider", self.auth_provider.is_some()),
            ("username", self.username.is_some()),
        ] {
            if there {
                return Err(format!("users: {field} is not supported; use a token or certificate"));
            }
        }
        let cert = pem(
            ("client-certificate-data", self.client_certificate_data.as_deref()),
            ("client-certificate", self.client_certificate.as_deref()),
            folder,
        )?;
        let key = pem(
            ("client-key-data", self.client_key_data.as_deref()),
            ("client-key", self.client_key.as_deref()),
            folder,
        )?;
        // A token file wins over a token, as in client-go.
        if let Some(file) = &self.token_file {
            return Ok(Auth::Token(read("tokenFile", folder, file)?.trim().to_owned()));
        }
        match (&self.token, cert, key) {
            (Some(token), _, _) => Ok(Auth::Token(token.clone())),
            (None, Some(cert_pem), Some(key_pem)) => Ok(Auth::ClientCert { cert_pem, key_pem }),
            (None, None, None) => Ok(Auth::None),
            (None, Some(_), None) => Err("users: client-certificate without client-key".into()),
            (None, None, Some(_)) => Err("users: client-key without client-certificate".into()),
        }
    }
}

/// Inline base64 data wins over a file, as in client-go.
fn pem(
    (data_field, data): (&str, Option<&str>),
    (file_field, file): (&str, Option<&str>),
    folder: &Path,
) -> Result<Option<String>, String> {
    if let Some(data) = data.filter(|d| !d.is_empty()) {
        let bytes = STANDARD.decode(data.trim()).map_err(|e| format!("{data_field}: {e}"))?;
        return String::from_utf8(bytes).map(Some).map_err(|_| format!("{data_field}: not PEM"));
    }
    file.filter(|f| !f.is_empty()).map(|file| read(file_field, folder, file)).transpose()
}

fn read(field: &str, folder: &Path, file: &str) -> Result<String, String> {
    let path = folder.join(PathBuf::from(file));
    fs::read_to_string(&path).map_err(|e| format!("{field}: {}: {e}", path.display()))
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

fn find<'a, T: Named>(list: &'a [T], name: &str) -> Option<&'a T> {
    list.iter().find(|entry| entry.name() == name)
}

trait Named {
    fn name(&self) -> &str;
}

macro_rules! named {
    ($($entry:ident { $field:ident: $inner:ident }),*) => {$(
        #[derive(Deserialize)]
        struct $entry {
            name: String,
            $field: Option<$inner>,
        }

        impl Named for $entry {
            fn name(&self) -> &str {
                &self.name
            }
        }
    )*};
}

named!(
    NamedCluster { cluster: Cluster },
    NamedUser { user: User },
    NamedContext { context: Context }
);

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    clusters: Vec<NamedCluster>,
    #[serde(default)]
    users: Vec<NamedUser>,
    #[serde(default)]
    contexts: Vec<NamedContext>,
    #[serde(rename = "current-context")]
    current_context: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Cluster {
    server: String,
    certificate_authority_data: Option<String>,
    certificate_authority: Option<String>,
    #[serde(default)]
    insecure_skip_tls_verify: bool,
    tls_server_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct User {
    token: Option<String>,
    #[serde(rename = "tokenFile")]
    token_file: Option<String>,
    client_certificate_data: Option<String>,
    client_certificate: Option<String>,
    client_key_data: Option<String>,
    client_key: Option<String>,
    username: Option<String>,
    exec: Option<serde::de::IgnoredAny>,
    auth_provider: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Context {
    cluster: String,
    #[serde(default)]
    user: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = r#"
apiVersion: v1
kind: Config
current-context: sim
preferences: {}
clusters:
- name: sim
  cluster: {server: "https://127.0.0.1:6443", certificate-authority-data: Q0E=, tls-server-name: kubernetes}
- name: plain
  cluster: {server: "http://127.0.0.1:8080"}
- name: bare
  cluster: {server: "https://127.0.0.1:6443"}
contexts:
- {name: sim, context: {cluster: sim, user: admin, namespace: x}}
- {name: plain, context: {cluster: plain, user: ""}}
- {name: bare, context: {cluster: bare, user: ""}}
- {name: plugin, context: {cluster: plain, user: plugin}}
- {name: half, context: {cluster: plain, user: half}}
- {name: lost, context: {cluster: nowhere, user: admin}}
users:
- {name: admin, user: {token: abc}}
- {name: half, user: {client-certificate-data: Q0E=}}
- {name: plugin, user: {exec: {command: get-token}}}
"#;

    fn target(context: Option<&str>) -> Result<Target, String> {
        parse(CONFIG, Path::new("."), context)
    }

    #[test]
    fn the_current_context_is_the_default() {
        let target = target(None).unwrap();
        assert_eq!(target.base, "https://127.0.0.1:6443");
        assert!(matches!(&target.tls, TlsTrust::Ca(pem) if pem == "CA"));
        assert!(matches!(&target.auth, Auth::Token(token) if token == "abc"));
        assert_eq!(target.server_name.as_deref(), Some("kubernetes"));
    }

    #[test]
    fn a_plain_server_needs_neither_user_nor_authority() {
        let target = target(Some("plain")).unwrap();
        assert!(matches!(target.auth, Auth::None));
        assert!(matches!(target.tls, TlsTrust::InsecureSkip));
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (context, part) in [
            ("nobody", "contexts: none is named \"nobody\""),
            ("lost", "clusters: none is named \"nowhere\""),
            ("plugin", "users: exec is not supported"),
            ("half", "client-certificate without client-key"),
            ("bare", "certificate-authority"),
        ] {
            let message = target(Some(context)).unwrap_err();
            assert!(message.contains(part), "{context}: {message}");
        }
        assert!(parse("a: [", Path::new("."), None).is_err());
        assert!(parse("{}", Path::new("."), None).unwrap_err().contains("current-context"));
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = load(Path::new("/nowhere/kubeconfig"), None).unwrap_err();
        assert!(error.to_string().starts_with("/nowhere/kubeconfig: "), "{error}");
        assert_eq!(error.exit_code(), 2);
    }
}
