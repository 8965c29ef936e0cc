package keepalive

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// A Side is which end of a connection a limit belongs to.
type Side string

const (
	// Accepts: the server's side, that ends what is idle for too long.
	Accepts Side = "accepts"
	// Opens: the client's side, whose pool keeps what is idle for use again.
	Opens Side = "opens"
)

// A Default is for how long a program keeps idle connections of HTTP/1.1 unless it is
// told otherwise, and what tells it.
type Default struct {
	Software string // as it is named on the command line
	Title    string // as people write it
	Version  string // that the limit was read of, as far as the source says
	Side     Side
	// Limit is zero where it depends on other settings, so that there is none to go by.
	Limit time.Duration
	// Endless says that the program keeps idle connections for ever.
	Endless bool
	// Soft says that the program promises no limit: Limit is what was seen.
	Soft bool
	// Fixed says that nothing changes the limit.
	Fixed bool
	// Both says that one setting is the limit of both sides.
	Both    bool
	Setting Setting
	Note    string
	Source  string
}

// A Setting is what sets an idle limit, in the words of the program.
type Setting struct {
	Where string
	// Write is what to write. {s or ms} stands for seconds where they are whole, and for
	// milliseconds with their unit otherwise, {s} for seconds, {ms} for milliseconds, {s+1} and
	// {ms+1000} for a second more, {1/4} for a quarter in milliseconds.
	Write string
	Step  time.Duration // what the value is a multiple of
	Max   time.Duration // 0 is none that is known
}

// For returns what to write for a limit, which is a multiple of Step; ok is false
// where the setting cannot say it, or there is none.
func (s Setting) For(limit time.Duration) (text string, ok bool) {
	if s.Write == "" || limit <= 0 || s.Max > 0 && limit > s.Max {
		return "", false
	}
	seconds := func(d time.Duration) string {
		return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.3f", d.Seconds()), "0"), ".")
	}
	whole := fmt.Sprint(int(limit.Seconds()))
	if limit%time.Second != 0 {
		whole = fmt.Sprint(limit.Milliseconds()) + "ms"
	}
	return strings.NewReplacer(
		"{s or ms}", whole, "{s}", seconds(limit), "{s+1}", seconds(limit+time.Second),
		"{ms}", fmt.Sprint(limit.Milliseconds()), "{ms+1000}", fmt.Sprint(limit.Milliseconds()+1000),
		"{1/4}", fmt.Sprint((limit / 4).Milliseconds()),
	).Replace(s.Write), true
}

// up and down round a limit to what the setting can say.
func (s Setting) up(d time.Duration) time.Duration {
	step := max(s.Step, time.Millisecond)
	return time.Duration(math.Ceil(float64(d)/float64(step))) * step
}

func (s Setting) down(d time.Duration) time.Duration {
	step := max(s.Step, time.Millisecond)
	return d / step * step
}

const (
	second = time.Second
	milli  = time.Millisecond
)

// Defaults returns the table, which docs/keepalive.md prints; of a program and a side
// there is one row.
func Defaults() []Default { return slices.Clone(defaults) }

// DefaultOf returns the row of a program and a side.
func DefaultOf(software string, side Side) (Default, bool) {
	for _, d := range defaults {
		if d.Software == software && d.Side == side {
			return d, true
		}
	}
	return Default{}, false
}

// Known reports whether the table has that program.
func Known(software string) bool {
	return slices.ContainsFunc(defaults, func(d Default) bool { return d.Software == software })
}

// Softwares returns the names of the programs, each once, in the order of the table.
func Softwares() []string {
	var names []string
	for _, d := range defaults {
		if !slices.Contains(names, d.Software) {
			names = append(names, d.Software)
		}
	}
	return names
}

// recognised are the beginnings of Server fields.
var recognised = []beginning{
	{"apache-coyote", "tomcat"}, {"apache tomcat", "tomcat"}, {"apache", "apache"},
	{"nginx", "nginx"}, {"openresty", "nginx"}, {"caddy", "caddy"}, {"envoy", "envoy"}, {"istio-envoy", "envoy"},
	{"awselb", "aws-alb"}, {"jetty(", "jetty"}, {"gunicorn", "gunicorn"}, {"uvicorn", "uvicorn"}, {"lighttpd", "lighttpd"}, {"linger", "linger"},
}

// Recognise returns the program that a Server field is of, or "". A program that was
// told to hide, or to lie, is not recognised, and many send none.
func Recognise(server string) string {
	return named(server, recognised)
}

// A beginning is that of a field, in lower case, which says what program it is of.
type beginning struct{ prefix, software string }

// named is the program of the first beginning that fits a Server or User-Agent field, or "".
// Of aiohttp client and server alike name Python first.
func named(field string, list []beginning) string {
	field = strings.ToLower(strings.TrimSpace(field))
	if strings.HasPrefix(field, "python/") && strings.Contains(field, "aiohttp/") {
		return "aiohttp"
	}
	for _, b := range list {
		if strings.HasPrefix(field, b.prefix) {
			return b.software
		}
	}
	return ""
}

var defaults = []Default{
	{
		Software: "nginx", Title: "nginx", Version: "3f6f7824d (August 2026)", Side: Accepts, Limit: 75 * second,
		Setting: Setting{"http, server or location", "keepalive_timeout {s}s;", second, 0},
		Note:    "Debian's configuration says 65 s",
		Source:  "nginx/nginx, src/http/ngx_http_core_module.c",
	},
	{
		Software: "nginx", Title: "nginx", Version: "1.15.3 and later", Side: Opens, Limit: 60 * second,
		Setting: Setting{"upstream, with keepalive N;", "keepalive_timeout {ms}ms;", milli, 0},
		Note:    "of keepalive N in upstream; without it, before 1.29.7, each request has a connection of its own",
		Source:  "nginx.org, changes; src/http/modules/ngx_http_upstream_keepalive_module.c",
	},
	{
		Software: "apache", Title: "Apache httpd", Version: "0cb680442e", Side: Accepts, Limit: 5 * second,
		Setting: Setting{"server or virtual host", "KeepAliveTimeout {s or ms}", milli, 0},
		Source:  "apache/httpd, include/httpd.h",
	},
	{
		Software: "apache", Title: "Apache httpd (mod_proxy)", Version: "2.4", Side: Opens, Endless: true,
		Setting: Setting{"ProxyPass, not with the prefork MPM", "ttl={s}", second, 0},
		Note:    "looks whether the server has closed before it uses a connection again; disablereuse=on keeps none",
		Source:  "httpd.apache.org, mod_proxy, ttl; bugzilla 54976",
	},
	{
		Software: "haproxy", Title: "HAProxy", Version: "2.6", Side: Accepts,
		Setting: Setting{"defaults or frontend", "timeout http-keep-alive {ms}ms", milli, 0},
		Note:    "where that is not set, timeout http-request, else timeout client",
		Source:  "haproxy, doc/configuration.txt, timeout http-keep-alive",
	},
	{
		Software: "haproxy", Title: "HAProxy", Version: "2.6.12", Side: Opens, Limit: 20 * second, Soft: true,
		Setting: Setting{"server line; a connection was seen to last three to four of these", "pool-purge-delay {1/4}ms", 4 * milli, 0},
		Note:    "every pool-purge-delay (5 s) half of what is idle and was not needed is closed: no connection has a limit of its own. A busy pool may keep one for longer; http-reuse never changes nothing of that, option http-server-close keeps none, and retry-on conn-failure empty-response has HAProxy send again what got no answer, POST too",
		Source:  "haproxy, doc/configuration.txt, pool-purge-delay; seen: idle connections were closed 15 to 20 s after the load had ended",
	},
	{
		Software: "envoy", Title: "Envoy", Side: Accepts, Limit: time.Hour,
		Setting: Setting{"http_connection_manager, common_http_protocol_options", "idle_timeout: {s}s", milli, 0},
		Source:  "envoyproxy.io, FAQ, how do I configure timeouts",
	},
	{
		Software: "envoy", Title: "Envoy", Side: Opens, Limit: time.Hour,
		Setting: Setting{"cluster, HttpProtocolOptions, common_http_protocol_options", "idle_timeout: {s}s", milli, 0},
		Source:  "envoyproxy.io, FAQ, how do I configure timeouts",
	},
	{
		Software: "caddy", Title: "Caddy", Version: "2", Side: Accepts, Limit: 5 * time.Minute,
		Setting: Setting{"global options, servers, timeouts", "idle {s}s", milli, 0},
		Source:  "caddyserver/caddy, modules/caddyhttp/app.go",
	},
	{
		Software: "caddy", Title: "Caddy", Version: "2", Side: Opens, Limit: 2 * time.Minute,
		Setting: Setting{"reverse_proxy, transport http", "keepalive {s}s", milli, 0},
		Source:  "caddyserver/caddy, modules/caddyhttp/reverseproxy/httptransport.go",
	},
	{
		Software: "traefik", Title: "Traefik", Version: "3", Side: Accepts, Limit: 3 * time.Minute,
		Setting: Setting{"entryPoints.NAME.transport.respondingTimeouts", "idleTimeout: {s}s", milli, 0},
		Source:  "doc.traefik.io, entry points",
	},
	{
		Software: "traefik", Title: "Traefik", Version: "3", Side: Opens, Limit: 90 * second,
		Setting: Setting{"serversTransport.forwardingTimeouts", "idleConnTimeout: {s}s", milli, 0},
		Source:  "doc.traefik.io, servers transport",
	},
	{
		Software: "aws-alb", Title: "AWS Application Load Balancer", Side: Accepts, Limit: time.Minute, Both: true,
		Setting: Setting{"load balancer attributes", "idle_timeout.timeout_seconds={s}", second, 4000 * second},
		Note:    "the one attribute is the limit towards the targets, too",
		Source:  "docs.aws.amazon.com, Application Load Balancers, connection idle timeout",
	},
	{
		Software: "aws-alb", Title: "AWS Application Load Balancer", Side: Opens, Limit: time.Minute, Both: true,
		Setting: Setting{"load balancer attributes", "idle_timeout.timeout_seconds={s}", second, 4000 * second},
		Note:    "the one attribute is the limit towards the clients, too",
		Source:  "docs.aws.amazon.com, Application Load Balancers, connection idle timeout",
	},
	{
		Software: "gcp-lb", Title: "Google Cloud external Application Load Balancer", Version: "2024", Side: Opens, Limit: 10 * time.Minute, Fixed: true,
		Source: "cloud.google.com, external Application Load Balancer overview, backend keepalive timeout",
	},
	{
		Software: "node", Title: "Node.js http", Version: "20.20", Side: Accepts, Limit: 5 * second,
		Setting: Setting{"on the server", "server.keepAliveTimeout = {ms}; server.headersTimeout = {ms+1000};", milli, 0},
		Note:    "65 s in what is to come after 24; behind a second of grace where keepAliveTimeoutBuffer is known",
		Source:  "nodejs/node, lib/_http_server.js",
	},
	{
		Software: "node", Title: "Node.js http.globalAgent", Version: "20.20", Side: Opens, Limit: 5 * second,
		Setting: Setting{"the agent", "new http.Agent({ keepAlive: true, timeout: {ms} })", milli, 0},
		Note:    "less than that where the server announces it by Keep-Alive: timeout",
		Source:  "nodejs/node, lib/_http_agent.js",
	},
	{
		Software: "undici", Title: "undici (Node.js fetch)", Version: "7eb7c8ec8", Side: Opens, Limit: 4 * second,
		Setting: Setting{"the dispatcher", "new Agent({ keepAliveTimeout: {ms} })", milli, 0},
		Note:    "where the server announces a limit, that less two seconds, up to 600 s",
		Source:  "nodejs/undici, lib/dispatcher/client.js",
	},
	{
		Software: "go", Title: "Go net/http Server", Version: "1.26", Side: Accepts, Endless: true,
		Setting: Setting{"http.Server", "IdleTimeout: {ms} * time.Millisecond", milli, 0},
		Note:    "where that is not set, ReadTimeout, and where neither is, none",
		Source:  "golang/go, src/net/http/server.go",
	},
	{
		Software: "go", Title: "Go net/http DefaultTransport", Version: "1.26", Side: Opens, Limit: 90 * second,
		Setting: Setting{"http.Transport", "IdleConnTimeout: {ms} * time.Millisecond", milli, 0},
		Note:    "a Transport that is made anew has none",
		Source:  "golang/go, src/net/http/transport.go",
	},
	{
		Software: "tomcat", Title: "Tomcat", Version: "84ac9af072", Side: Accepts, Limit: 20 * second,
		Setting: Setting{"Connector, in server.xml", `keepAliveTimeout="{ms}"`, milli, 0},
		Note:    "that of connectionTimeout, which the server.xml that is shipped sets to 20 s",
		Source:  "apache/tomcat, conf/server.xml; webapps/docs/config/http.xml",
	},
	{
		Software: "jetty", Title: "Jetty", Version: "12", Side: Accepts, Limit: 30 * second,
		Setting: Setting{"start.d/http.ini", "jetty.http.idleTimeout={ms}", milli, 0},
		Note:    "of a connection on which a response is being written, too",
		Source:  "jetty.org, operations guide, module http, jetty.http.idleTimeout",
	},
	{
		Software: "gunicorn", Title: "gunicorn", Version: "65ac1a3a", Side: Accepts, Limit: 2 * second,
		Setting: Setting{"configuration file; workers of the kind sync keep none", "keepalive = {s}", second, 0},
		Source:  "benoitc/gunicorn, gunicorn/config.py",
	},
	{
		Software: "uvicorn", Title: "uvicorn", Version: "e6c7ce79", Side: Accepts, Limit: 5 * second,
		Setting: Setting{"command line", "--timeout-keep-alive {s}", second, 0},
		Source:  "encode/uvicorn, uvicorn/config.py",
	},
	{
		Software: "aiohttp", Title: "aiohttp web.run_app", Version: "495e77836", Side: Accepts, Limit: 75 * second,
		Setting: Setting{"web.run_app", "keepalive_timeout={s}", milli, 0},
		Source:  "aio-libs/aiohttp, aiohttp/web.py",
	},
	{
		Software: "aiohttp", Title: "aiohttp client", Version: "495e77836", Side: Opens, Limit: 15 * second,
		Setting: Setting{"TCPConnector", "keepalive_timeout={s}", milli, 0},
		Source:  "aio-libs/aiohttp, aiohttp/connector.py",
	},
	{
		Software: "lighttpd", Title: "lighttpd", Version: "1.4", Side: Accepts, Limit: 5 * second,
		Setting: Setting{"server", "server.max-keep-alive-idle = {s}", second, 0},
		Source:  "redmine.lighttpd.net, server.max-keep-alive-idle",
	},
	{
		Software: "linger", Title: "linger serve", Side: Accepts, Endless: true,
		Setting: Setting{"command line", "--idle-timeout {ms}ms", milli, 0},
		Source:  "linger serve --help",
	},
	{
		Software: "chromium", Title: "Chromium", Version: "068d2910 (2021)", Side: Opens, Limit: 5 * time.Minute, Fixed: true,
		Note:   "60 s for one that was never used; asks again by itself where a kept connection turns out to be closed",
		Source: "chromium/chromium, net/socket/client_socket_pool.cc",
	},
	{
		Software: "firefox", Title: "Firefox", Side: Opens, Limit: 115 * second, Fixed: true,
		Note:   "network.http.keep-alive.timeout, on the user's machine",
		Source: "mozilla, modules/libpref/init/all.js",
	},
	{
		Software: "curl", Title: "libcurl", Version: "8", Side: Opens, Limit: 118 * second,
		Setting: Setting{"the handle", "curl_easy_setopt(handle, CURLOPT_MAXAGE_CONN, {s}L)", second, 0},
		Note:    "looks whether the server has closed before it uses a connection again",
		Source:  "curl/curl, lib/url.c",
	},
	{
		Software: "okhttp", Title: "OkHttp", Version: "1682d9bac", Side: Opens, Limit: 5 * time.Minute,
		Setting: Setting{"OkHttpClient.Builder", "connectionPool(ConnectionPool(5, {ms}, TimeUnit.MILLISECONDS))", milli, 0},
		Source:  "square/okhttp, ConnectionPool.kt",
	},
	{
		Software: "hyper", Title: "hyper-util", Version: "4684c71", Side: Opens, Limit: 90 * second,
		Setting: Setting{"Client::builder", "pool_idle_timeout(Duration::from_millis({ms}))", milli, 0},
		Source:  "hyperium/hyper-util, src/client/legacy/client.rs",
	},
	{
		Software: "reqwest", Title: "reqwest", Version: "065a5ae5", Side: Opens, Limit: 90 * second,
		Setting: Setting{"Client::builder", "pool_idle_timeout(Duration::from_millis({ms}))", milli, 0},
		Source:  "seanmonstar/reqwest, src/async_impl/client.rs",
	},
	{
		Software: "httpx", Title: "httpx", Version: "ae1b9f66", Side: Opens, Limit: 5 * second,
		Setting: Setting{"the client", "httpx.Limits(keepalive_expiry={s})", milli, 0},
		Source:  "encode/httpx, httpx/_config.py",
	},
}
