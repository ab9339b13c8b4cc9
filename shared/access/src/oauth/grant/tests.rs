use super::*;
use crate::Role;

const GRACE: Duration = Duration::from_secs(10);
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const BACK: &str = "https://planner.example/back";

fn at(seconds: i64) -> WallTime {
    WallTime::from_millis(1_800_000_000_000 + seconds * 1000)
}

fn client() -> ApplicationId {
    ApplicationId::derived(&["own"])
}

fn grant() -> Grant {
    Grant {
        id: GrantId {
            workspace: WorkspaceId::new_at(1),
            connection: ConnectionId::new_at(2),
            family: TokenFamilyId::new_at(3),
        },
        environment: Environment::Test,
        holder: Holder::Application(client(), vec![]),
        granted_at: at(0),
        code: Some(Code {
            hash: hash_of("code"),
            redirect_uri: BACK.to_owned(),
            redirect_named: true,
            challenge: CHALLENGE.to_owned(),
            until: at(60),
            spent: false,
        }),
        access: vec![],
        refresh: None,
        ended: None,
    }
}

fn lineage() -> String {
    "L".repeat(LINEAGE_LENGTH)
}

fn fresh(name: &str) -> Fresh {
    let secret = |kind: &str| SecretString::from(format!("{kind}-{name}"));
    Fresh { access: secret("a"), refresh: secret("r") }
}

fn redeem(grant: &mut Grant, seconds: i64, change: impl Fn(&mut Redemption<'_>)) -> Use {
    let (client, lineage) = (client(), lineage());
    let mut with = Redemption {
        secret: "code",
        client: &client,
        redirect_uri: Some(BACK),
        verifier: VERIFIER,
        lineage: &lineage,
    };
    change(&mut with);
    grant.redeem(at(seconds), with, &fresh("0"))
}

fn rotate(grant: &mut Grant, seconds: i64, own: &str, name: &str) -> Use {
    grant.rotate(at(seconds), &format!("{}{own}", lineage()), GRACE, &fresh(name))
}

fn redeemed() -> Grant {
    let mut grant = grant();
    assert_eq!(redeem(&mut grant, 1, |_| {}), Use::Good);
    grant
}

#[test]
fn a_code_is_good_for_a_minute_its_client_its_address_and_its_verifier() {
    let other = ApplicationId::derived(&["other"]);
    assert_eq!(redeem(&mut grant(), 59, |_| {}), Use::Good);
    assert_eq!(redeem(&mut grant(), 60, |_| {}), Use::Refused);
    let changes: [fn(&mut Redemption<'_>); 5] = [
        |with| with.secret = "cod",
        |with| with.redirect_uri = Some("https://planner.example/back/"),
        |with| with.redirect_uri = None,
        |with| with.verifier = CHALLENGE,
        |with| with.verifier = "",
    ];
    for (at, change) in changes.into_iter().enumerate() {
        let mut grant = grant();
        assert_eq!(redeem(&mut grant, 1, change), Use::Refused, "{at}");
        assert!(grant.access.is_empty() && grant.ended.is_none());
    }
    let mut grant = grant();
    let (lineage, fresh) = (lineage(), fresh("0"));
    let with = Redemption {
        secret: "code",
        client: &other,
        redirect_uri: Some(BACK),
        verifier: VERIFIER,
        lineage: &lineage,
    };
    assert_eq!(grant.redeem(at(1), with, &fresh), Use::Refused);
}

#[test]
fn an_address_that_was_not_named_need_not_be_named_again() {
    let mut grant = grant();
    grant.code.as_mut().unwrap().redirect_named = false;
    assert_eq!(redeem(&mut grant.clone(), 1, |with| with.redirect_uri = None), Use::Good);
    let wrong = redeem(&mut grant, 1, |with| with.redirect_uri = Some("https://x.example/"));
    assert_eq!(wrong, Use::Refused);
}

#[test]
fn a_code_that_is_used_again_kills_the_tokens_that_came_of_it() {
    let mut grant = redeemed();
    assert!(grant.admits("a-0", at(2)));
    assert_eq!(redeem(&mut grant, 2, |_| {}), Use::Replayed);
    assert!(!grant.admits("a-0", at(2)));
    assert_eq!(rotate(&mut grant, 3, "r-0", "1"), Use::Refused);
    assert_eq!(grant.ended.unwrap().why, Why::CodeReplayed);
}

#[test]
fn a_code_shown_by_another_client_kills_nothing() {
    let mut grant = redeemed();
    let (other, lineage) = (ApplicationId::derived(&["other"]), lineage());
    let with = Redemption {
        secret: "code",
        client: &other,
        redirect_uri: Some(BACK),
        verifier: VERIFIER,
        lineage: &lineage,
    };
    assert_eq!(grant.redeem(at(2), with, &fresh("1")), Use::Refused);
    assert!(grant.admits("a-0", at(2)));
}

#[test]
fn refreshing_replaces_the_refresh_token_and_keeps_older_access_tokens() {
    let mut grant = redeemed();
    assert_eq!(rotate(&mut grant, 100, "r-0", "1"), Use::Good);
    assert_eq!(rotate(&mut grant, 200, "r-1", "2"), Use::Good);
    for token in ["a-0", "a-1", "a-2"] {
        assert!(grant.admits(token, at(300)), "{token}");
    }
    assert!(!grant.admits("a-0", at(1 + 24 * 3600)));
    assert!(grant.admits("a-2", at(1 + 24 * 3600)));
    assert!(!grant.admits("r-2", at(300)) && !grant.admits("", at(300)));
}

#[test]
fn a_replayed_refresh_token_kills_its_family() {
    let mut grant = redeemed();
    assert_eq!(rotate(&mut grant, 100, "r-0", "1"), Use::Good);
    assert_eq!(rotate(&mut grant, 110, "r-0", "2"), Use::Replayed);
    assert!(!grant.admits("a-1", at(111)));
    assert_eq!(rotate(&mut grant, 112, "r-1", "3"), Use::Refused);
    assert_eq!(grant.ended.unwrap().why, Why::RefreshReplayed);
}

#[test]
fn a_refresh_token_of_two_uses_ago_is_a_replay_at_once() {
    let mut grant = redeemed();
    assert_eq!(rotate(&mut grant, 100, "r-0", "1"), Use::Good);
    assert_eq!(rotate(&mut grant, 101, "r-1", "2"), Use::Good);
    assert_eq!(rotate(&mut grant, 102, "r-0", "3"), Use::Replayed);
}

#[test]
fn a_lost_answer_can_be_had_again_for_some_seconds() {
    let mut grant = redeemed();
    assert_eq!(rotate(&mut grant, 100, "r-0", "lost"), Use::Good);
    assert_eq!(rotate(&mut grant, 109, "r-0", "again"), Use::Good);
    assert!(grant.admits("a-again", at(109)));
    assert_eq!(rotate(&mut grant, 200, "r-again", "next"), Use::Good);
}

#[test]
fn of_two_who_refreshed_at_the_same_time_either_may_go_on_and_then_the_other_may_not() {
    let mut grant = redeemed();
    assert_eq!(rotate(&mut grant, 100, "r-0", "one"), Use::Good);
    assert_eq!(rotate(&mut grant, 100, "r-0", "two"), Use::Good);
    let mut other = grant.clone();
    assert_eq!(rotate(&mut grant, 5000, "r-one", "3"), Use::Good);
    assert_eq!(rotate(&mut grant, 6000, "r-two", "4"), Use::Replayed);
    assert_eq!(rotate(&mut other, 5000, "r-two", "3"), Use::Good);
}

#[test]
fn an_answer_is_not_repeated_without_end() {
    let mut grant = redeemed();
    let repeat = |grant: &mut Grant, n: usize| rotate(grant, 100, "r-0", &n.to_string());
    let good = (1..20).take_while(|n| repeat(&mut grant, *n) == Use::Good).count();
    assert_eq!(good, SIBLINGS_MAX);
    assert!(grant.admits("a-1", at(101)), "asking too often is no theft");
}

#[test]
fn a_guess_kills_nothing() {
    let mut grant = redeemed();
    let guess = format!("{}r-0", "G".repeat(LINEAGE_LENGTH));
    assert_eq!(grant.rotate(at(2), &guess, GRACE, &fresh("1")), Use::Refused);
    assert_eq!(grant.rotate(at(2), "", GRACE, &fresh("1")), Use::Refused);
    assert!(grant.admits("a-0", at(2)));
}

#[test]
fn ninety_days_without_use_are_the_end() {
    let day = 24 * 3600;
    let mut grant = redeemed();
    assert_eq!(rotate(&mut grant, 90 * day, "r-0", "1"), Use::Good);
    assert_eq!(rotate(&mut grant, 179 * day, "r-1", "2"), Use::Good);
    assert_eq!(grant.expires_at(), Some(at(269 * day)));
    assert_eq!(rotate(&mut grant, 269 * day, "r-2", "3"), Use::Refused);
}

#[test]
fn a_grant_stays_small() {
    let mut grant = redeemed();
    for n in 0..100 {
        let own = format!("r-{n}");
        assert_eq!(rotate(&mut grant, n + 2, &own, &(n + 1).to_string()), Use::Good);
    }
    assert_eq!(grant.access.len(), ACCESS_MAX);
    assert!(grant.admits("a-100", at(200)) && !grant.admits("a-0", at(200)));
}

#[test]
fn a_code_that_nobody_used_goes_after_a_minute() {
    assert_eq!(grant().expires_at(), Some(at(60)));
    assert_eq!(redeemed().expires_at(), Some(at(1) + REFRESH_LIFE));
}

#[test]
fn a_grant_survives_its_row_and_holds_no_secret() {
    let mut grant = redeemed();
    rotate(&mut grant, 5, "r-0", "1");
    grant.end(at(6), Why::Revoked);
    let text = serde_json::to_string(&grant).unwrap();
    assert_eq!(serde_json::from_str::<Grant>(&text).unwrap(), grant);
    for secret in ["a-0", "r-0", "a-1", "r-1", &lineage(), "\"code\":\"code\""] {
        assert!(!text.contains(secret), "{secret}");
    }
    let rights = Rights { role: Role::Read, scopes: vec![Scope::Passthrough] };
    let issued = Grant { holder: Holder::Workspace(rights), ..grant };
    let text = serde_json::to_string(&issued).unwrap();
    assert_eq!(serde_json::from_str::<Grant>(&text).unwrap(), issued);
}
