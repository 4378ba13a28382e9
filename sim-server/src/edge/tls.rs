//! Certificates and TLS settings.

use std::{path::Path, sync::Arc};

use anyhow::{Context as _, Result};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};

/// What clients need to trust the server, and what it needs to trust them.
pub(crate) struct Identity {
    pub(crate) server: Arc<ServerConfig>,
    /// PEM of the CA that issued the server's certificate; client certificates of this CA are
    /// accepted too.
    pub(crate) ca_pem: String,
    /// PEM of a client certificate for kubernetes-admin in system:masters, and its key.
    pub(crate) admin: Option<(String, String)>,
}

/// Makes a CA and a leaf of it for the server. A leaf, because rustls clients refuse a CA as a
/// server certificate (recorded: kube-rs).
pub(crate) fn generate(addresses: &[String]) -> Result<Identity> {
    let ca_key = KeyPair::generate()?;
    let mut ca_params = CertificateParams::default();
    ca_params.distinguished_name = name("apisim-ca", None);
    ca_params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca_params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let ca: Certificate = ca_params.self_signed(&ca_key)?;
    let ca_pem = ca.pem();
    let issuer = Issuer::new(ca_params, ca_key);

    let mut names: Vec<String> = ["localhost", "kubernetes", "kubernetes.default"]
        .into_iter()
        .chain(["kubernetes.default.svc", "kubernetes.default.svc.cluster.local"])
        .map(String::from)
        .collect();
    names.extend(addresses.iter().cloned());
    let server_key = KeyPair::generate()?;
    let mut params = CertificateParams::new(names)?;
    params.subject_alt_names.push(SanType::IpAddress([127, 0, 0, 1].into()));
    params.distinguished_name = name("kube-apiserver", None);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let leaf = params.signed_by(&server_key, &issuer)?;

    let admin_key = KeyPair::generate()?;
    let mut admin = CertificateParams::default();
    admin.distinguished_name = name("kubernetes-admin", Some("system:masters"));
    admin.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let admin_leaf = admin.signed_by(&admin_key, &issuer)?;

    let key = PrivateKeyDer::try_from(server_key.serialize_der())
        .map_err(|message| anyhow::anyhow!("the generated key: {message}"))?;
    Ok(Identity {
        server: config(vec![leaf.der().clone()], key, &ca_pem)?,
        ca_pem,
        admin: Some((admin_leaf.pem(), admin_key.serialize_pem())),
    })
}

/// Reads the server's certificate chain and key from files, as `--tls-cert-file` and
/// `--tls-private-key-file` name them.
pub(crate) fn load(cert: &Path, key: &Path) -> Result<Identity> {
    let pem = std::fs::read_to_string(cert)
        .with_context(|| format!("--tls-cert-file {}", cert.display()))?;
    let chain = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .with_context(|| format!("--tls-cert-file {}", cert.display()))?;
    anyhow::ensure!(!chain.is_empty(), "--tls-cert-file {}: no certificate in it", cert.display());
    let key = PrivateKeyDer::from_pem_file(key)
        .with_context(|| format!("--tls-private-key-file {}", key.display()))?;
    Ok(Identity { server: config(chain, key, &pem)?, ca_pem: pem, admin: None })
}

fn config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    ca_pem: &str,
) -> Result<Arc<ServerConfig>> {
    let provider = Arc::new(default_provider());
    let mut roots = RootCertStore::empty();
    for cert in CertificateDer::pem_slice_iter(ca_pem.as_bytes()) {
        roots.add(cert?)?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&provider))
        .allow_unauthenticated()
        .build()?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .context("the server's certificate and key")?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn name(common_name: &str, organization: Option<&str>) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    if let Some(organization) = organization {
        name.push(DnType::OrganizationName, organization);
    }
    name
}
