//! Certificates that are not to be trusted, each for its own reason, beside one that is. Whom a client
//! trusts it reads from the environment of its process (`SSL_CERT_FILE`), so the clients are in a
//! process of their own: this program once more, told where the servers are.

use std::{net::SocketAddr, process::Command, sync::Arc, time::Duration};

use http::Method;
use millwright_outbound::{FailureClass, Request, Url};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

mod parts;

use parts::{OK, loopback, raw};

/// Where the servers are: `kind=address`, with commas between.
const DOORS: &str = "MILLWRIGHT_TEST_DOORS";

type Authority = CertifiedIssuer<'static, KeyPair>;

fn key() -> KeyPair {
    KeyPair::generate().unwrap()
}

fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, key()).unwrap()
}

fn params(name: &str) -> CertificateParams {
    CertificateParams::new(vec![name.to_owned()]).unwrap()
}

fn signed(params: CertificateParams, authority: &Authority) -> (CertificateDer<'static>, KeyPair) {
    let key = key();
    (params.signed_by(&key, authority).unwrap().der().clone(), key)
}

/// A server behind this certificate that answers every request with 200.
async fn door((certificate, key): (CertificateDer<'static>, KeyPair)) -> SocketAddr {
    let secret = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(vec![certificate], secret).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut inside) = acceptor.accept(stream).await else { return };
                let _ = inside.read(&mut [0; 4096]).await;
                let answer = format!("{OK}content-length: 2\r\nconnection: close\r\n\r\nok");
                let _ = inside.write_all(answer.as_bytes()).await;
                let _ = inside.shutdown().await;
            });
        }
    });
    address
}

#[tokio::test]
async fn only_a_certificate_of_a_known_authority_for_this_host_and_this_day_is_trusted() {
    let (known, unknown) = (authority(), authority());
    let mut expired = params("127.0.0.1");
    expired.not_before = date_time_ymd(2020, 1, 1);
    expired.not_after = date_time_ymd(2021, 1, 1);
    let mut early = params("127.0.0.1");
    early.not_before = date_time_ymd(2190, 1, 1);
    let own = key();
    let self_signed = params("127.0.0.1").self_signed(&own).unwrap().der().clone();
    let silent = raw(|stream| async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(stream);
    });
    let doors = [
        ("good", door(signed(params("127.0.0.1"), &known)).await),
        ("expired", door(signed(expired, &known)).await),
        ("early", door(signed(early, &known)).await),
        ("other-host", door(signed(params("other.example"), &known)).await),
        ("unknown-authority", door(signed(params("127.0.0.1"), &unknown)).await),
        ("self-signed", door((self_signed, own)).await),
        ("silent", silent.await),
    ];
    let folder = std::env::temp_dir().join(format!("millwright-tls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let trusted = folder.join("authority.pem");
    std::fs::write(&trusted, known.pem()).unwrap();
    let doors: Vec<String> = doors.iter().map(|(kind, at)| format!("{kind}={at}")).collect();
    let mut clients = Command::new(std::env::current_exe().unwrap());
    clients.args(["--exact", "--ignored", "--nocapture", "clients"]);
    clients.env(DOORS, doors.join(",")).env("SSL_CERT_FILE", &trusted).env_remove("SSL_CERT_DIR");
    let ended = tokio::task::spawn_blocking(move || clients.output().unwrap()).await.unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(ended.status.success(), "{said}{}", String::from_utf8_lossy(&ended.stderr));
    assert!(said.contains("7 doors tried"), "{said}");
}

#[tokio::test]
#[ignore = "the test above runs it, in a process of its own"]
async fn clients() {
    let Ok(doors) = std::env::var(DOORS) else { return };
    let outbound = loopback();
    let mut tried = 0;
    for door in doors.split(',') {
        let (kind, address) = door.split_once('=').unwrap();
        let url = Url::parse(&format!("https://{address}/")).unwrap();
        let timeout = Duration::from_secs(2);
        let request = Request { timeout, ..Request::new(Method::POST, url) };
        let class = outbound.send(request).await.map(|answer| answer.status.as_u16());
        let class = class.map_err(|error| (error.class, error.sent()));
        match kind {
            "good" => assert_eq!(class, Ok(200)),
            // Nothing was sent, but who gives up in the middle cannot say so.
            "silent" => assert_eq!(class.unwrap_err().0, FailureClass::Timeout),
            _ => assert_eq!(class, Err((FailureClass::Tls, false)), "{kind}"),
        }
        tried += 1;
    }
    println!("{tried} doors tried");
}
