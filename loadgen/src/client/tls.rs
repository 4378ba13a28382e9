//! TLS settings of a client.

use std::sync::Arc;

use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
};

use crate::LoadError;

use super::{Auth, HttpVersion, Target, TlsTrust};

/// The TLS configuration for `target`, offering the HTTP versions of `http`.
pub(super) fn client_config(
    target: &Target,
    http: HttpVersion,
) -> Result<Arc<ClientConfig>, LoadError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|e| LoadError::usage("tls", e.to_string()))?;
    let builder = match &target.tls {
        TlsTrust::Ca(pem) => builder.with_root_certificates(roots(pem)?),
        TlsTrust::InsecureSkip => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AcceptAnyServer(provider))),
    };
    let mut config = match &target.auth {
        Auth::ClientCert { cert_pem, key_pem } => {
            let chain = certificates("client certificate", cert_pem)?;
            let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes())
                .map_err(|e| LoadError::usage("client key", e.to_string()))?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|e| LoadError::usage("client certificate", e.to_string()))?
        }
        Auth::None | Auth::Token(_) => builder.with_no_client_auth(),
    };
    config.alpn_protocols = match http {
        HttpVersion::Http1 => vec![b"http/1.1".to_vec()],
        HttpVersion::Http2 => vec![b"h2".to_vec()],
        HttpVersion::Negotiate => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
    };
    Ok(Arc::new(config))
}

/// The name that the server's certificate is checked against.
pub(super) fn server_name(host: &str) -> Result<ServerName<'static>, LoadError> {
    ServerName::try_from(host.to_owned())
        .map_err(|_| LoadError::usage("server", format!("{host:?} is not a host name or address")))
}

fn roots(pem: &str) -> Result<RootCertStore, LoadError> {
    let mut store = RootCertStore::empty();
    for certificate in certificates("certificate authority", pem)? {
        store
            .add(certificate)
            .map_err(|e| LoadError::usage("certificate authority", e.to_string()))?;
    }
    Ok(store)
}

fn certificates(what: &str, pem: &str) -> Result<Vec<CertificateDer<'static>>, LoadError> {
    let certificates = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| LoadError::usage(what, e.to_string()))?;
    if certificates.is_empty() {
        return Err(LoadError::usage(what, "no PEM certificate in it"));
    }
    Ok(certificates)
}

/// Takes whatever certificate the server shows; signatures are still checked, so that a broken
/// handshake is not mistaken for a working one.
#[derive(Debug)]
struct AcceptAnyServer(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAnyServer {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
