//! What can be the matter with a system: a door before it, over TLS, that can be shut in several ways.

use std::{fs, io, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
    server::TlsStream,
};

/// How the door stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Open: what comes goes through.
    Open,
    /// Every connection is accepted, and nothing is ever answered.
    Hangs,
    /// Every connection is broken off.
    Resets,
    /// The certificate is one that nobody trusts.
    BadCertificate,
    /// Everything is answered with a page for people.
    Html,
}

const PAGE: &str = "<!doctype html><title>Maintenance</title><p>We will be back soon.";

/// The door before a system.
#[derive(Debug)]
pub struct Trouble {
    address: SocketAddr,
    door: watch::Sender<Door>,
    task: JoinHandle<()>,
}

impl Trouble {
    /// Puts an open door before a port of loopback. Whoever is to trust it trusts the certificates in
    /// the file `authority` (`SSL_CERT_FILE`), which is written.
    ///
    /// # Panics
    /// When it cannot be put there.
    pub async fn before(port: u16, authority: &Path) -> Self {
        let (trusted, authority_pem) = certificates();
        fs::write(authority, authority_pem).expect("a file can be written");
        let (untrusted, _) = certificates();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let (door, seen) = watch::channel(Door::Open);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = match *seen.borrow() {
                    Door::BadCertificate => untrusted.clone(),
                    _ => trusted.clone(),
                };
                tokio::spawn(serve(stream, acceptor, seen.clone(), port));
            }
        });
        Self { address, door, task }
    }

    /// Where the system seems to be.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Turns the door. Connections that went through before are broken off.
    pub fn turn(&self, door: Door) {
        self.door.send_replace(door);
    }
}

impl Drop for Trouble {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A certificate for loopback and the authority that vouches for it.
fn certificates() -> (TlsAcceptor, String) {
    let key = || KeyPair::generate().expect("a key can be made");
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, key()).expect("an authority");
    let own = key();
    let names = vec!["127.0.0.1".to_owned()];
    let leaf = CertificateParams::new(names).expect("a name").signed_by(&own, &authority);
    let chain = vec![leaf.expect("a certificate").der().clone()];
    let secret = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(own.serialize_der()));
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, secret);
    (TlsAcceptor::from(Arc::new(config.expect("they belong together"))), authority.pem())
}

async fn serve(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    mut door: watch::Receiver<Door>,
    port: u16,
) {
    let stands = *door.borrow_and_update();
    if stands == Door::Resets {
        // Closed with data unread, or at once without lingering, TCP says "reset".
        let _ = stream.set_zero_linger();
        return;
    }
    let Ok(mut inside) = acceptor.accept(stream).await else { return };
    let answered = async {
        match stands {
            Door::Open => through(&mut inside, port).await,
            Door::Html => page(&mut inside).await,
            _ => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = answered => {}
        _ = door.changed() => {}
    }
}

async fn through(inside: &mut TlsStream<TcpStream>, port: u16) -> io::Result<()> {
    let mut system = TcpStream::connect(("127.0.0.1", port)).await?;
    copy_bidirectional(inside, &mut system).await?;
    Ok(())
}

async fn page(inside: &mut TlsStream<TcpStream>) -> io::Result<()> {
    let mut asked = [0; 65_536];
    let _ = inside.read(&mut asked).await?;
    // The rest of the request, if there is one: what is left unread would reset the connection.
    let _ = tokio::time::timeout(Duration::from_millis(50), inside.read(&mut asked)).await;
    let length = PAGE.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    inside.write_all(head.as_bytes()).await?;
    inside.write_all(PAGE.as_bytes()).await?;
    inside.shutdown().await
}
