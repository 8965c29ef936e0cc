package keepalive

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"linger/finding"
)

// A Line is a line of a program's configuration, or of its source, that ends a cause for
// which connections are opened. The causes are those of an audit.
type Line struct {
	Causes   []string
	Software string
	Side     Side
	Where    string
	// Write is what to write; {n} stands for a number of connections or requests, {s} for
	// seconds.
	Write  string
	Source string
}

// Remedies returns what ends a cause in a program: the lines for it, and what sets its idle
// limit where that is the cause. n is how many connections or requests are needed, limit
// for how long connections have to be kept.
func Remedies(cause, software string, side Side, n int, limit time.Duration) []finding.Remedy {
	var out []finding.Remedy
	sideOf := map[Side]string{Accepts: "server", Opens: "client"}[side]
	for _, l := range Lines() {
		if l.Software != software || l.Side != side || !slices.Contains(l.Causes, cause) {
			continue
		}
		write := strings.NewReplacer("{n}", fmt.Sprint(n), "{s}", fmt.Sprint(int(limit.Seconds()))).Replace(l.Write)
		out = append(out, finding.Remedy{Software: l.Software, Side: sideOf, Where: l.Where, Write: write, Source: l.Source})
	}
	timed := map[Side][]string{Accepts: {"server-idle", "race", "stale-reuse"}, Opens: {"client-idle", "race", "stale-reuse"}}
	if d, ok := DefaultOf(software, side); ok && limit > 0 && slices.Contains(timed[side], cause) && !d.Fixed {
		rounded := d.Setting.up(limit)
		if side == Opens && cause != "client-idle" {
			rounded = d.Setting.down(limit)
		}
		if write, ok := d.Setting.For(rounded); ok {
			out = append(out, finding.Remedy{Software: software, Side: sideOf, Where: d.Setting.Where, Write: write, Source: d.Source})
		}
	}
	return out
}

// Settles reports whether the table has lines for a program.
func Settles(software string) bool {
	return Known(software) || slices.ContainsFunc(Lines(), func(l Line) bool { return l.Software == software })
}

// Settled returns the names of the programs that have a line or a default, each once.
func Settled() []string {
	names := Softwares()
	for _, l := range Lines() {
		if !slices.Contains(names, l.Software) {
			names = append(names, l.Software)
		}
	}
	return names
}

// agents are the beginnings of User-Agent fields.
var agents = []beginning{
	{"go-http-client/", "go"}, {"curl/", "curl"}, {"python-requests/", "requests"}, {"python-urllib3/", "requests"}, {"python-urllib/", "urllib"},
	{"python-httpx/", "httpx"}, {"node-fetch", "node"}, {"undici", "undici"}, {"node", "undici"}, {"axios/", "node"}, {"java-http-client/", "java"}, {"java/", "java"},
	{"apache-httpclient/", "httpclient"}, {"okhttp/", "okhttp"}, {"apachebench/", "ab"}, {"reqwest/", "reqwest"}, {"hyper/", "hyper"}, {"linger/", "linger"},
}

// RecogniseServer returns the program that a Server field is of: those of Recognise, and
// others that have lines and no default.
func RecogniseServer(server string) string {
	if known := Recognise(server); known != "" {
		return known
	}
	server = strings.ToLower(strings.TrimSpace(server))
	if strings.HasPrefix(server, "simplehttp/") || strings.HasPrefix(server, "basehttp/") {
		return "python"
	}
	return ""
}

// RecogniseAgent returns the program that a User-Agent field is of, or "". Browsers have
// no settings that would be somebody else's, and proxies hand on the field of their clients.
func RecogniseAgent(agent string) string {
	return named(agent, agents)
}

// Lines returns the table, which docs/keepalive.md prints. It is made when it is asked for.
func Lines() []Line {
	// Causes that several lines share.
	var (
		closesAnnounced = []string{"server-says-close", "server-closes-at-once"}
		keepsNone       = []string{"client-says-close", "client-closes-at-once"}
		forgetsPool     = []string{"client-closes-at-once", "idle-unused"}
		asksNot         = []string{"resumption-unused"}
		resumesNot      = []string{"resumption-refused"}
	)
	return []Line{
		{[]string{"request-limit"}, "nginx", Accepts, "http, server or location", "keepalive_requests {n};", "nginx.org, ngx_http_core_module, keepalive_requests"},
		{[]string{"request-limit"}, "apache", Accepts, "server or virtual host", "MaxKeepAliveRequests 0", "httpd.apache.org, core, MaxKeepAliveRequests"},
		{[]string{"request-limit"}, "envoy", Accepts, "http_connection_manager, common_http_protocol_options", "max_requests_per_connection: {n}", "envoyproxy.io, HttpProtocolOptions, max_requests_per_connection"},
		{[]string{"request-limit"}, "node", Accepts, "on the server", "server.maxRequestsPerSocket = 0;", "nodejs.org, http, server.maxRequestsPerSocket"},
		{[]string{"request-limit"}, "lighttpd", Accepts, "server", "server.max-keep-alive-requests = {n}", "redmine.lighttpd.net, server.max-keep-alive-requests"},
		{[]string{"request-limit"}, "tomcat", Accepts, "Connector, in server.xml", `maxKeepAliveRequests="-1"`, "tomcat.apache.org, HTTP connector, maxKeepAliveRequests"},
		{[]string{"request-limit"}, "linger", Accepts, "command line", "--max-requests {n}", "linger serve --help"},

		{[]string{"max-age"}, "nginx", Accepts, "http, server or location", "keepalive_time 24h;", "nginx.org, ngx_http_core_module, keepalive_time"},
		{[]string{"max-age"}, "envoy", Accepts, "http_connection_manager, common_http_protocol_options", "max_connection_duration: 86400s", "envoyproxy.io, HttpProtocolOptions, max_connection_duration"},
		{[]string{"max-age"}, "linger", Accepts, "command line", "--max-age 24h", "linger serve --help"},

		{closesAnnounced, "nginx", Accepts, "http, server or location; not 0", "keepalive_timeout 75s;", "nginx.org, ngx_http_core_module, keepalive_timeout"},
		{closesAnnounced, "apache", Accepts, "server or virtual host", "KeepAlive On", "httpd.apache.org, core, KeepAlive"},
		{closesAnnounced, "haproxy", Accepts, "defaults or frontend; not option httpclose", "option http-keep-alive", "haproxy, doc/configuration.txt, option http-keep-alive"},
		{closesAnnounced, "gunicorn", Accepts, "configuration file; workers of the kind sync keep none", "worker_class = \"gthread\"", "docs.gunicorn.org, settings, keepalive"},
		{closesAnnounced, "python", Accepts, "the handler's class; each response then needs a Content-Length", `protocol_version = "HTTP/1.1"`, "docs.python.org, http.server, BaseHTTPRequestHandler.protocol_version"},
		{closesAnnounced, "lighttpd", Accepts, "server; not 0", "server.max-keep-alive-requests = {n}", "redmine.lighttpd.net, server.max-keep-alive-requests"},
		{closesAnnounced, "tomcat", Accepts, "Connector, in server.xml; not 1", `maxKeepAliveRequests="-1"`, "tomcat.apache.org, HTTP connector, maxKeepAliveRequests"},

		{append([]string{"idle-unused", "client-pool-full"}, keepsNone...), "nginx", Opens, "upstream", "keepalive {n};", "nginx.org, ngx_http_upstream_module, keepalive"},
		{[]string{"client-says-close"}, "nginx", Opens, "location", `proxy_http_version 1.1; proxy_set_header Connection "";`, "nginx.org, ngx_http_upstream_module, keepalive"},
		{keepsNone, "apache", Opens, "ProxyPass, with a worker of its own", "enablereuse=on", "httpd.apache.org, mod_proxy, ProxyPass"},
		{keepsNone, "haproxy", Opens, "backend; not option http-server-close", "http-reuse safe", "haproxy, doc/configuration.txt, http-reuse"},
		{[]string{"idle-unused"}, "haproxy", Opens, "backend; requests may have to be retried", "http-reuse always", "haproxy, doc/configuration.txt, http-reuse"},
		{[]string{"client-pool-full"}, "haproxy", Opens, "server line", "pool-max-conn {n}", "haproxy, doc/configuration.txt, pool-max-conn"},
		{[]string{"client-pool-full"}, "caddy", Opens, "reverse_proxy, transport http", "keepalive_idle_conns_per_host {n}", "caddyserver.com, reverse_proxy, keepalive_idle_conns_per_host"},
		{[]string{"client-pool-full"}, "traefik", Opens, "serversTransport", "maxIdleConnsPerHost: {n}", "doc.traefik.io, servers transport, maxIdleConnsPerHost"},

		{[]string{"client-says-close"}, "go", Opens, "http.Transport; and no Request.Close", "DisableKeepAlives: false", "pkg.go.dev, net/http, Transport.DisableKeepAlives"},
		{forgetsPool, "go", Opens, "once in the process, not in each call", "var client = &http.Client{}", "pkg.go.dev, net/http, Client"},
		{[]string{"client-pool-full"}, "go", Opens, "http.Transport; the default is 2", "MaxIdleConnsPerHost: {n}", "pkg.go.dev, net/http, Transport.MaxIdleConnsPerHost"},
		{[]string{"client-aborts"}, "go", Opens, "before Close", "io.Copy(io.Discard, resp.Body)", "pkg.go.dev, net/http, Response.Body"},
		{[]string{"silent-drop", "ended-between"}, "go", Opens, "net.Dialer of the Transport; NAT forgets sooner than that", "KeepAlive: 15 * time.Second", "pkg.go.dev, net, Dialer.KeepAlive"},

		{append([]string{"idle-unused"}, keepsNone...), "node", Opens, "one for the process", "new http.Agent({ keepAlive: true })", "nodejs.org, http, new Agent"},
		{[]string{"client-pool-full"}, "node", Opens, "the agent", "new http.Agent({ keepAlive: true, maxFreeSockets: {n} })", "nodejs.org, http, new Agent"},
		{[]string{"client-aborts"}, "node", Opens, "on each response that is not read", "response.resume();", "nodejs.org, http, http.ClientRequest"},
		{[]string{"silent-drop", "ended-between"}, "node", Opens, "the agent", "new http.Agent({ keepAlive: true, keepAliveMsecs: 15000 })", "nodejs.org, http, new Agent"},
		{append([]string{"idle-unused"}, keepsNone...), "undici", Opens, "once in the process", "setGlobalDispatcher(new Agent({ connections: {n} }))", "undici.nodejs.org, Agent"},

		{append([]string{"idle-unused"}, keepsNone...), "requests", Opens, "once in the process, not in each call", "session = requests.Session()", "requests.readthedocs.io, advanced usage, session objects"},
		{[]string{"client-pool-full"}, "requests", Opens, "the session; the default is 10", `session.mount("http://", HTTPAdapter(pool_maxsize={n}))`, "requests.readthedocs.io, HTTPAdapter"},
		{[]string{"client-aborts"}, "requests", Opens, "on each response that was asked for with stream=True", "response.content", "requests.readthedocs.io, advanced usage, body content workflow"},
		{append([]string{"idle-unused"}, keepsNone...), "urllib", Opens, "in place of urllib.request, which always closes", "session = requests.Session()", "docs.python.org, urllib.request"},
		{append([]string{"idle-unused"}, keepsNone...), "httpx", Opens, "once in the process, not in each call", "client = httpx.Client()", "python-httpx.org, clients"},
		{append([]string{"idle-unused"}, keepsNone...), "aiohttp", Opens, "once in the process, not in each call", "session = aiohttp.ClientSession()", "docs.aiohttp.org, client quickstart"},

		{[]string{"client-says-close"}, "java", Opens, "command line of the JVM", "-Dhttp.keepAlive=true", "docs.oracle.com, java.net, networking properties, http.keepAlive"},
		{forgetsPool, "java", Opens, "once in the process, not in each call", "static final HttpClient client = HttpClient.newHttpClient();", "docs.oracle.com, java.net.http, HttpClient"},
		{[]string{"client-pool-full"}, "java", Opens, "command line of the JVM; 5 by default in HttpURLConnection", "-Dhttp.maxConnections={n}", "docs.oracle.com, java.net, networking properties, http.maxConnections"},
		{[]string{"client-pool-full"}, "httpclient", Opens, "the connection manager", "setDefaultMaxPerRoute({n})", "hc.apache.org, PoolingHttpClientConnectionManager"},
		{forgetsPool, "httpclient", Opens, "once in the process, not in each call", "static final CloseableHttpClient client = HttpClients.createDefault();", "hc.apache.org, CloseableHttpClient"},
		{[]string{"client-aborts"}, "httpclient", Opens, "on each response that is not read", "EntityUtils.consume(response.getEntity());", "hc.apache.org, EntityUtils"},
		{[]string{"race", "stale-reuse"}, "httpclient", Opens, "the connection manager", "setValidateAfterInactivity(TimeValue.ofSeconds(1))", "hc.apache.org, PoolingHttpClientConnectionManager"},
		{[]string{"client-pool-full"}, "okhttp", Opens, "OkHttpClient.Builder; the default is 5", "connectionPool(ConnectionPool({n}, 5, TimeUnit.MINUTES))", "square.github.io/okhttp, ConnectionPool"},

		{forgetsPool, "curl", Opens, "one process for several URLs", "curl URL1 URL2", "curl.se, man page, URL"},
		{[]string{"client-says-close"}, "curl", Opens, "without the field Connection, by HTTP/1.1", "curl --http1.1 URL1 URL2", "curl.se, man page, --http1.1"},
		{[]string{"silent-drop", "ended-between"}, "curl", Opens, "command line", "--keepalive-time 15", "curl.se, man page, --keepalive-time"},
		{append([]string{"idle-unused"}, keepsNone...), "ab", Opens, "command line", "ab -k", "httpd.apache.org, ab, -k"},

		{[]string{"silent-drop", "ended-between"}, "nginx", Accepts, "listen", "listen 80 so_keepalive=15s::;", "nginx.org, ngx_http_core_module, listen"},
		{[]string{"silent-drop", "ended-between"}, "nginx", Opens, "location", "proxy_socket_keepalive on;", "nginx.org, ngx_http_proxy_module, proxy_socket_keepalive"},
		{[]string{"silent-drop", "ended-between"}, "haproxy", Accepts, "defaults or frontend", "option clitcpka", "haproxy, doc/configuration.txt, option clitcpka"},
		{[]string{"silent-drop", "ended-between"}, "haproxy", Opens, "defaults or backend", "option srvtcpka", "haproxy, doc/configuration.txt, option srvtcpka"},
		{resumesNot, "nginx", Accepts, "http or server; shared by all workers", "ssl_session_cache shared:SSL:10m;", "nginx.org, ngx_http_ssl_module, ssl_session_cache"},
		{resumesNot, "nginx", Accepts, "http or server; one file of 80 random bytes, the same on all servers", "ssl_session_ticket_key ticket.key;", "nginx.org, ngx_http_ssl_module, ssl_session_ticket_key"},
		{resumesNot, "apache", Accepts, "server; shared by all processes, with mod_socache_shmcb", "SSLSessionCache shmcb:/run/apache2/ssl_scache(512000)", "httpd.apache.org, mod_ssl, SSLSessionCache"},
		{resumesNot, "apache", Accepts, "server or virtual host; one file of 48 random bytes, the same on all servers", "SSLSessionTicketKeyFile ticket.key", "httpd.apache.org, mod_ssl, SSLSessionTicketKeyFile"},
		{resumesNot, "haproxy", Accepts, "bind line; the same file on all servers", "tls-ticket-keys ticket.keys", "haproxy, doc/configuration.txt, tls-ticket-keys"},
		{resumesNot, "caddy", Accepts, "apps/tls in JSON; servers with one storage share the keys", `"session_tickets": {"key_source": {"provider": "distributed"}}`, "caddyserver.com, JSON config, apps/tls/session_tickets"},
		{resumesNot, "envoy", Accepts, "DownstreamTlsContext; the same on all servers", "session_ticket_keys: {keys: [{filename: ticket.key}]}", "envoyproxy.io, DownstreamTlsContext, session_ticket_keys"},
		{resumesNot, "node", Accepts, "https.createServer; 48 random bytes, the same in all processes", "ticketKeys: fs.readFileSync('ticket.key')", "nodejs.org, tls, tls.createServer"},
		{resumesNot, "go", Accepts, "tls.Config of the server; the same in all processes", "config.SetSessionTicketKeys(keys)", "pkg.go.dev, crypto/tls, Config.SetSessionTicketKeys"},

		{asksNot, "nginx", Opens, "location; on unless it was turned off", "proxy_ssl_session_reuse on;", "nginx.org, ngx_http_proxy_module, proxy_ssl_session_reuse"},
		{asksNot, "haproxy", Opens, "server line; not no-ssl-reuse", "ssl-reuse", "haproxy, doc/configuration.txt, ssl-reuse"},
		{asksNot, "envoy", Opens, "UpstreamTlsContext; not 0", "max_session_keys: 8", "envoyproxy.io, UpstreamTlsContext, max_session_keys"},
		{asksNot, "go", Opens, "http.Transport; it has none of its own", "TLSClientConfig: &tls.Config{ClientSessionCache: tls.NewLRUClientSessionCache(0)}", "pkg.go.dev, crypto/tls, Config.ClientSessionCache"},
		{asksNot, "node", Opens, "one agent for the process; 0 turns it off", "new https.Agent({ keepAlive: true, maxCachedSessions: 100 })", "nodejs.org, https, new Agent"},
		{asksNot, "undici", Opens, "one for the process; 0 turns it off", "new Agent({ connect: { maxCachedSessions: 100 } })", "undici.nodejs.org, Client, ConnectOptions"},
		{asksNot, "curl", Opens, "command line, from 8.12 on; or one process for several URLs", "curl --ssl-sessions FILE", "curl.se, man page, --ssl-sessions"},
		{asksNot, "java", Opens, "once in the process: it holds the sessions", "static final HttpClient client = HttpClient.newHttpClient();", "docs.oracle.com, javax.net.ssl, SSLSessionContext"},
		{asksNot, "okhttp", Opens, "once in the process: its SSLSocketFactory holds the sessions", "val client = OkHttpClient()", "square.github.io/okhttp, OkHttpClient"},

		{[]string{"silent-drop", "ended-between"}, "envoy", Opens, "cluster, upstream_connection_options", "tcp_keepalive: {keepalive_time: 15}", "envoyproxy.io, UpstreamConnectionOptions"},
	}
}
