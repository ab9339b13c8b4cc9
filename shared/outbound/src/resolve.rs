//! The resolver that vets: what it answers is what is dialled.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use futures::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::{address::AddressPolicy, error::Refusal};

/// How long a name may take to resolve.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(4);

/// Finds the addresses of a name: the operating system's resolver, or a table in a test.
pub trait Lookup: Send + Sync {
    /// Every address of `host`.
    fn lookup(&self, host: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// The operating system's resolver.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SystemLookup;

impl Lookup for SystemLookup {
    fn lookup(&self, host: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
        })
    }
}

/// Resolves names to addresses of which every single one may be dialled.
#[derive(Clone)]
pub(crate) struct VettingResolver {
    lookup: Arc<dyn Lookup>,
    policy: AddressPolicy,
}

impl VettingResolver {
    pub(crate) fn new(lookup: Arc<dyn Lookup>, policy: AddressPolicy) -> Self {
        Self { lookup, policy }
    }

    pub(crate) fn policy(&self) -> &AddressPolicy {
        &self.policy
    }

    /// The addresses of `host`, all of them vetted.
    pub(crate) async fn vetted(&self, host: String) -> Result<Vec<IpAddr>, Refusal> {
        let unresolved = |why: &dyn fmt::Display| Refusal::Unresolved(why.to_string());
        let addresses = tokio::time::timeout(LOOKUP_TIMEOUT, self.lookup.lookup(host))
            .await
            .map_err(|_| unresolved(&"no answer in time"))?
            .map_err(|e| unresolved(&e))?;
        if addresses.is_empty() {
            return Err(unresolved(&"it has no address"));
        }
        addresses.iter().try_for_each(|ip| self.policy.check(*ip))?;
        Ok(addresses)
    }
}

impl Resolve for VettingResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.clone();
        Box::pin(async move {
            let addresses = resolver.vetted(name.as_str().to_owned()).await?;
            // Port 0 stands for the URL's own.
            let dialled = addresses.into_iter().map(|ip| SocketAddr::new(ip, 0));
            Ok(Box::new(dialled) as Addrs)
        })
    }
}
