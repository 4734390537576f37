//! An authorization server's token endpoint (RFC 6749), asked through our own HTTP client: the URL is a user's, so
//! the address filter applies, and redirects are not followed.

use std::{borrow::Cow, time::Duration};

use domain::webhook_auth::OAuth2Client;
use egress::{Policy, Request};
use futures::{FutureExt as _, future::BoxFuture};
use http::{Method, StatusCode};
use oauth2::{
    AccessToken, AsyncHttpClient, AuthType, AuthorizationCode, Client, ClientId, ClientSecret,
    EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, PkceCodeVerifier, RedirectUrl, RefreshToken,
    RequestTokenError, Scope, StandardRevocableToken, TokenResponse, TokenUrl,
    basic::{
        BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType,
    },
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, Serialize};

/// Time for one exchange, from the look-up of the name to the last byte.
pub(crate) const DEADLINE: Duration = Duration::from_secs(15);

/// The most that is read of an answer.
const LIMIT: u64 = 64 * 1024;

/// The most characters of a server's own words that are passed on.
const WORDS: usize = 300;

/// What a token is asked for with.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Grant<'a> {
    ClientCredentials,
    Refresh(&'a SecretString),
    Code { code: &'a str, redirect_uri: Option<&'a str>, verifier: Option<&'a SecretString> },
}

/// What a server gave.
#[derive(Debug)]
pub(crate) struct Issued {
    pub access: SecretString,
    pub refresh: Option<SecretString>,
    /// How long it is good for, when the server says.
    pub lifetime: Option<Duration>,
}

/// Why there is no token. None of the texts has a secret in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The server said no, in its own words.
    #[error("{0}")]
    Refused(String),
    /// It answered something else than a token or an OAuth2 error.
    #[error("the token endpoint answered with status {0}")]
    Status(u16),
    /// It answered with success, and no token.
    #[error("the token endpoint's answer is not a token: {0}")]
    Malformed(String),
    /// It did not answer.
    #[error("{0}")]
    Unreachable(egress::Error),
    /// What the caller gave is not a URL.
    #[error("{0} is not a URL")]
    InvalidUrl(&'static str),
    /// New settings, or another request for a token, came in between.
    #[error("the settings were changed meanwhile")]
    Superseded,
}

/// What can come of the HTTP part.
#[derive(Debug, thiserror::Error)]
enum HttpError {
    #[error(transparent)]
    Egress(egress::Error),
    #[error("status {0}")]
    Status(u16),
}

/// A server's answer, read as generously as clients of the Node gateway are used to: the token's type does not
/// matter, and its lifetime may be a text.
#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    access_token: AccessToken,
    #[serde(skip, default = "bearer")]
    token_type: BasicTokenType,
    #[serde(default, deserialize_with = "seconds")]
    expires_in: Option<u64>,
    #[serde(default)]
    refresh_token: Option<RefreshToken>,
}

const fn bearer() -> BasicTokenType {
    BasicTokenType::Bearer
}

/// A positive number of seconds, as a number or a text; anything else counts as not said.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    let number = match &value {
        serde_json::Value::Number(number) => number.as_f64(),
        serde_json::Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float is cut to the range"
    )]
    Ok(number.map(|seconds| seconds as u64).filter(|seconds| *seconds > 0))
}

impl TokenResponse for Answer {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &BasicTokenType {
        &self.token_type
    }

    fn expires_in(&self) -> Option<Duration> {
        self.expires_in.map(Duration::from_secs)
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        self.refresh_token.as_ref()
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        None
    }
}

/// A client whose token endpoint is known.
type TokenClient = Client<
    BasicErrorResponse,
    Answer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// Asks for a token.
pub(crate) async fn ask(
    http: &egress::Client,
    client: &OAuth2Client<'_>,
    grant: Grant<'_>,
) -> Result<Issued, TokenError> {
    let url =
        TokenUrl::new(client.token_url.to_owned()).map_err(|_| TokenError::InvalidUrl("oauth2_token_url"))?;
    let oauth2: TokenClient = Client::new(ClientId::new(client.id.to_owned()))
        .set_client_secret(ClientSecret::new(client.secret.expose_secret().to_owned()))
        // The contract: id and secret in the body.
        .set_auth_type(AuthType::RequestBody)
        .set_token_uri(url);
    let http = Http(http.clone());
    let answer = match grant {
        Grant::ClientCredentials => {
            let scope = client.scope.map(|scope| Scope::new(scope.to_owned()));
            oauth2.exchange_client_credentials().add_scopes(scope).request_async(&http).await
        }
        Grant::Refresh(token) => {
            let token = RefreshToken::new(token.expose_secret().to_owned());
            oauth2.exchange_refresh_token(&token).request_async(&http).await
        }
        Grant::Code { code, redirect_uri, verifier } => {
            let mut exchange = oauth2.exchange_code(AuthorizationCode::new(code.to_owned()));
            if let Some(uri) = redirect_uri {
                let uri = RedirectUrl::new(uri.to_owned());
                exchange = exchange
                    .set_redirect_uri(Cow::Owned(uri.map_err(|_| TokenError::InvalidUrl("redirect_uri"))?));
            }
            if let Some(verifier) = verifier {
                let verifier = PkceCodeVerifier::new(verifier.expose_secret().to_owned());
                exchange = exchange.set_pkce_verifier(verifier);
            }
            exchange.request_async(&http).await
        }
    };
    issued(&answer.map_err(reason)?)
}

fn issued(answer: &Answer) -> Result<Issued, TokenError> {
    let access = answer.access_token.secret();
    if access.is_empty() || !access.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(TokenError::Malformed("access_token cannot be sent as a header".to_owned()));
    }
    let refresh = answer.refresh_token.as_ref().map(|token| token.secret().as_str());
    Ok(Issued {
        access: access.as_str().into(),
        refresh: refresh.filter(|token| !token.is_empty()).map(Into::into),
        lifetime: answer.expires_in(),
    })
}

/// Our HTTP client, as the library wants one.
struct Http(egress::Client);

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpError;
    type Future = BoxFuture<'c, Result<HttpResponse, HttpError>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        post(&self.0, request).boxed()
    }
}

async fn post(http: &egress::Client, request: HttpRequest) -> Result<HttpResponse, HttpError> {
    let (parts, body) = request.into_parts();
    let mut ours = Request::new(Policy::Public, Method::POST, parts.uri.to_string())
        .deadline(DEADLINE)
        .limit(LIMIT)
        .body(body);
    for (name, value) in parts.headers {
        if let Some(name) = name {
            ours = ours.header(name, value);
        }
    }
    let answer = http.request(ours).await.map_err(HttpError::Egress)?;
    let is_error = || serde_json::from_slice::<BasicErrorResponse>(&answer.body).is_ok();
    let status = match answer.status {
        status if status.is_success() => StatusCode::OK,
        status if is_error() => status,
        status => return Err(HttpError::Status(status.as_u16())),
    };
    // Without its headers: servers that call their JSON a text are understood, too.
    let mut response = HttpResponse::new(answer.body.to_vec());
    *response.status_mut() = status;
    Ok(response)
}

fn reason(error: RequestTokenError<HttpError, BasicErrorResponse>) -> TokenError {
    match error {
        RequestTokenError::ServerResponse(said) => {
            TokenError::Refused(said.to_string().chars().filter(|c| !c.is_control()).take(WORDS).collect())
        }
        RequestTokenError::Request(HttpError::Egress(error)) => TokenError::Unreachable(error),
        RequestTokenError::Request(HttpError::Status(status)) => TokenError::Status(status),
        // Not the parser's words: they may quote the answer, and with it a token.
        RequestTokenError::Parse(error, _) => {
            TokenError::Malformed(match error.path().to_string().as_str() {
                "." => "access_token is missing, or it is not JSON".to_owned(),
                path => format!("the field {path} is wrong"),
            })
        }
        RequestTokenError::Other(words) => TokenError::Malformed(words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_generously() {
        let table = [
            (
                r#"{"access_token":"t","token_type":"Bearer","expires_in":60,"refresh_token":"r"}"#,
                Some(60),
                Some("r"),
            ),
            (r#"{"access_token":"t"}"#, None, None),
            (r#"{"access_token":"t","token_type":"mac","expires_in":"120"}"#, Some(120), None),
            (r#"{"access_token":"t","expires_in":59.9,"refresh_token":""}"#, Some(59), None),
            (r#"{"access_token":"t","expires_in":0}"#, None, None),
            (r#"{"access_token":"t","expires_in":-5,"refresh_token":null}"#, None, None),
            (r#"{"access_token":"t","expires_in":null,"scope":"a b"}"#, None, None),
            (r#"{"access_token":"t","expires_in":"soon"}"#, None, None),
        ];
        for (text, lifetime, refresh) in table {
            let issued = issued(&serde_json::from_str(text).unwrap()).unwrap();
            assert_eq!(issued.access.expose_secret(), "t");
            assert_eq!(issued.lifetime, lifetime.map(Duration::from_secs), "{text}");
            assert_eq!(issued.refresh.as_ref().map(SecretString::expose_secret), refresh, "{text}");
        }
        for text in [r#"{"access_token":""}"#, r#"{"access_token":"a\nb"}"#, r#"{"access_token":"\u00e4"}"#] {
            let issued = issued(&serde_json::from_str(text).unwrap());
            assert!(matches!(issued, Err(TokenError::Malformed(_))), "{text}");
        }
    }
}
