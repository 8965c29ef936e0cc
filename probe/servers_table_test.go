package probe_test

import (
	"strings"
	"testing"
	"time"

	"linger/profile"
)

// What the servers are told.
const (
	setIdle     = 3 * time.Second
	setRequests = 7
)

// A realServer is a program that others wrote, and what it was told.
type realServer struct {
	name    string
	program string // "" is Go's own
	from    string // Debian's package
	set     string // in the words of the program
	scheme  string
	// files are written to the place's directory, and args start the program; in both,
	// DIR, HOST, PORT, PEM and BACKEND stand for those of the place.
	files   map[string]string
	args    []string
	version []string // arguments that have it say its version
	apart   bool     // it ends by a signal to its process group, and needs one of its own
	serve   func(t *testing.T, at place)

	idle time.Duration // that it was told; 0 is that it keeps no connection
	// early and late are by how much less and more it may be, as coarsely as the server
	// looks.
	early, late time.Duration
	requests    int // that it allows on a connection, by what it was told; 0 is no limit
	ending      profile.Ending
	http2       profile.Ending // of HTTP/2, where it speaks that, with the same limit
	alone       bool           // one connection after the other is served
	breaks      []string       // cases, each checked by hand and explained in the document
	attimes     string         // a case that it breaks when the request meets it so
}

const nginxConf = `daemon off;
pid DIR/pid;
error_log DIR/error.log;
events {}
http {
	access_log off;
	client_body_temp_path DIR/b; proxy_temp_path DIR/p; fastcgi_temp_path DIR/f; uwsgi_temp_path DIR/u; scgi_temp_path DIR/s;
	keepalive_timeout 3s;
	keepalive_requests 7;
	server { listen HOST:PORTBIND;CERTIFICATE root DIR; }
}
`

// nginxTLS is what stands for BIND and CERTIFICATE where nginx speaks TLS.
var nginxTLS = strings.NewReplacer("BIND", " ssl http2", "CERTIFICATE", " ssl_certificate PEM; ssl_certificate_key PEM;")

var nginxCleartext = strings.NewReplacer("BIND", "", "CERTIFICATE", "")

const apacheConf = `ServerRoot DIR
ServerName 127.0.0.1
PidFile DIR/pid
ErrorLog DIR/error.log
DefaultRuntimeDir DIR
Listen HOST:PORT
LoadModule mpm_MODEL_module /usr/lib/apache2/modules/mod_mpm_MODEL.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule dir_module /usr/lib/apache2/modules/mod_dir.so
MORE
User www-data
Group www-data
DocumentRoot DIR
KeepAlive On
KeepAliveTimeout 3
MaxKeepAliveRequests 7
<Directory DIR>
	Require all granted
</Directory>
`

const apacheTLS = `LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so
SSLEngine on
SSLCertificateFile PEM
SSLSessionCache none
`

const haproxyConf = `defaults
	mode http
	timeout connect 5s
	timeout client 30s
	timeout server 30s
	timeout http-request 30s
	timeout http-keep-alive 3s
frontend f
	bind HOST:PORT BIND
	http-request return status 200 content-type text/plain string hello if { path / }
	http-request return status 404 content-type text/plain string none
`

const caddyFile = `{
	admin off
	auto_https off
	storage file_system DIR
	servers {
		timeouts {
			idle 3s
		}
	}
}
http://127.0.0.1:PORT {
	root * DIR
	file_server
}
`

const lighttpdConf = `server.document-root = "DIR"
server.bind = "HOST"
server.port = PORT
index-file.names = ( "index.html" )
server.max-keep-alive-idle = 3
server.max-keep-alive-requests = 7
`

const nodeScript = `const server = require('http').createServer((request, response) => {
	request.resume();
	response.statusCode = request.url === '/' ? 200 : 404;
	response.end(request.url);
});
server.keepAliveTimeout = 3000;
server.maxRequestsPerSocket = 7;
server.on('request', (request, response) => response.on('finish', () => setTimeout(() =>
	request.socket.timeout && require('fs').writeFileSync('DIR/told', String(request.socket.timeout)), 100)));
server.listen(PORT, 'HOST');
`

const pythonScript = `import http.server, os
os.chdir('DIR')
class Handler(http.server.SimpleHTTPRequestHandler):
	protocol_version = 'HTTP/1.1'
	timeout = 3
	def log_message(self, *args): pass
http.server.ThreadingHTTPServer(('HOST', PORT), Handler).serve_forever()
`

// A program of WSGI that looks at nothing: gunicorn adds what it does.
const wsgiScript = `def app(environ, start_response):
	start_response('200 OK', [('Content-Type', 'text/plain'), ('Content-Length', '6')])
	return [b'hello\n']
`

const asgiScript = `async def app(scope, receive, send):
	if scope['type'] != 'http':
		return
	while (await receive()).get('more_body'):
		pass
	await send({'type': 'http.response.start', 'status': 200, 'headers': [(b'content-type', b'text/plain'), (b'content-length', b'6')]})
	await send({'type': 'http.response.body', 'body': b'hello\n'})
`

const squidConf = `http_port HOST:PORT accel defaultsite=127.0.0.1 no-vhost
cache_peer 127.0.0.1 parent BACKENDPORT 0 no-query originserver name=backend
http_access allow all
cache deny all
client_idle_pconn_timeout 3 seconds
pid_filename DIR/pid
cache_log DIR/cache.log
access_log none
logfile_rotate 0
coredump_dir DIR
visible_hostname localhost
shutdown_lifetime 0 seconds
`

const h2oConf = `pid-file: DIR/pid
error-log: DIR/error.log
num-threads: 2
http1-request-timeout: 3
http2-idle-timeout: 3
hosts:
  default:
    listen:
      host: HOST
      port: PORT
    paths:
      /:
        file.dir: DIR
`

const pumaConf = `threads 4, 4
persistent_timeout 3
bind 'tcp://HOST:PORT'
quiet
`

const rackScript = `run ->(env) { [200, {'Content-Type' => 'text/plain'}, ["hello\n"]] }
`

const unboundConf = `server:
	interface: HOST
	port: PORT
	username: ""
	chroot: ""
	directory: "DIR"
	pidfile: "DIR/pid"
	do-daemonize: no
	use-syslog: no
	logfile: "DIR/log"
	module-config: "iterator"
	incoming-num-tcp: 100
	tcp-idle-timeout: 3000
	edns-tcp-keepalive: yes
	edns-tcp-keepalive-timeout: 3000
	local-zone: "example." static
	local-data: "www.example. 300 IN A 192.0.2.1"
remote-control:
	control-enable: no
`

const knotConf = `server:
    rundir: "DIR"
    listen: HOST@PORT
    tcp-idle-timeout: 3
database:
    storage: "DIR/db"
log:
  - target: stderr
    any: error
zone:
  - domain: example
    storage: "DIR"
    file: "zone"
`

const knotZone = `$ORIGIN example.
$TTL 300
@ IN SOA ns.example. root.example. 1 3600 600 86400 300
@ IN NS ns.example.
ns IN A 127.0.0.1
www IN A 192.0.2.1
`

func apache(model, more string) map[string]string {
	return map[string]string{"conf": strings.NewReplacer("MODEL", model, "MORE\n", more).Replace(apacheConf)}
}

func haproxy(bind string) map[string]string {
	return map[string]string{"conf": strings.Replace(haproxyConf, " BIND", bind, 1)}
}

func gunicorn(args ...string) []string {
	return append(args, "--bind", "HOST:PORT", "--chdir", "DIR", "--log-level", "critical", "app:app")
}

// realServers are probed at once.
var realServers = []realServer{
	{name: "nginx", program: "nginx", from: "nginx-light", set: "`keepalive_timeout 3s; keepalive_requests 7`", scheme: "http",
		files: map[string]string{"conf": nginxCleartext.Replace(nginxConf)}, args: []string{"-e", "DIR/error.log", "-c", "DIR/conf"}, version: []string{"-v"},
		idle: setIdle, requests: setRequests, ending: profile.FIN, breaks: []string{"requests-enough"}},
	{name: "nginx, TLS", program: "nginx", from: "nginx-light", set: "`keepalive_timeout 3s; keepalive_requests 7`", scheme: "https",
		files: map[string]string{"conf": nginxTLS.Replace(nginxConf)}, args: []string{"-e", "DIR/error.log", "-c", "DIR/conf"}, version: []string{"-v"},
		idle: setIdle, requests: setRequests, ending: profile.CloseNotify, http2: profile.GOAWAY, breaks: []string{"requests-enough"}},
	{name: "Apache, event", program: "apache2", from: "apache2", set: "`KeepAliveTimeout 3`, `MaxKeepAliveRequests 7`", scheme: "http",
		files: apache("event", "StartServers 1\n"), args: []string{"-f", "DIR/conf", "-DFOREGROUND"}, version: []string{"-v"},
		idle: setIdle, requests: setRequests + 1, ending: profile.FIN, breaks: []string{"requests-enough"}},
	{name: "Apache, event, TLS", program: "apache2", from: "apache2", set: "`KeepAliveTimeout 3`, `MaxKeepAliveRequests 7`", scheme: "https",
		files: apache("event", apacheTLS), args: []string{"-f", "DIR/conf", "-DFOREGROUND"}, version: []string{"-v"},
		idle: setIdle, requests: setRequests + 1, ending: profile.CloseNotify, breaks: []string{"requests-enough", "tls-alpn-refused"}},
	{name: "Apache, prefork", program: "apache2", from: "apache2", set: "`KeepAliveTimeout 3`, `MaxKeepAliveRequests 7`, `MaxRequestWorkers 10`", scheme: "http",
		apart: true, files: apache("prefork", "StartServers 10\nMinSpareServers 10\nMaxRequestWorkers 10\n"), args: []string{"-f", "DIR/conf", "-DFOREGROUND"}, version: []string{"-v"},
		idle: setIdle, requests: setRequests + 1, ending: profile.FIN, breaks: []string{"requests-enough"}},
	{name: "HAProxy", program: "haproxy", from: "haproxy", set: "`timeout http-keep-alive 3s`", scheme: "http",
		files: haproxy(""), args: []string{"-db", "-f", "DIR/conf"}, version: []string{"-v"},
		idle: setIdle, ending: profile.FIN, http2: profile.GOAWAY, breaks: []string{"host-missing", "close-staged"}},
	{name: "HAProxy, TLS", program: "haproxy", from: "haproxy", set: "`timeout http-keep-alive 3s`", scheme: "https",
		files: haproxy(" ssl crt PEM alpn h2,http/1.1"), args: []string{"-db", "-f", "DIR/conf"}, version: []string{"-v"},
		idle: setIdle, ending: profile.CloseNotify, http2: profile.GOAWAY, breaks: []string{"host-missing", "close-staged", "tls-alpn-refused"}},
	{name: "Caddy", program: "caddy", from: "caddy", set: "`timeouts { idle 3s }`", scheme: "http",
		files: map[string]string{"conf": caddyFile}, args: []string{"run", "--adapter", "caddyfile", "--config", "DIR/conf"}, version: []string{"version"},
		idle: setIdle, ending: profile.FIN, breaks: []string{"framing-both", "close-staged"}},
	{name: "lighttpd", program: "lighttpd", from: "lighttpd", set: "`server.max-keep-alive-idle = 3`, `server.max-keep-alive-requests = 7`", scheme: "http",
		files: map[string]string{"conf": lighttpdConf}, args: []string{"-D", "-f", "DIR/conf"}, version: []string{"-v"},
		idle: setIdle, late: 2 * time.Second, requests: setRequests + 1, ending: profile.FIN, http2: profile.GOAWAY,
		breaks: []string{"requests-enough"}, attimes: "idle-no-race"},
	{name: "h2o", program: "h2o", from: "h2o", set: "`http1-request-timeout: 3`, `http2-idle-timeout: 3`", scheme: "http",
		files: map[string]string{"conf": h2oConf}, args: []string{"-c", "DIR/conf"}, version: []string{"-v"},
		idle: setIdle, ending: profile.FIN, http2: profile.GOAWAY, breaks: []string{"framing-both", "framing-lengths", "host-missing"}},
	{name: "Varnish", program: "varnishd", from: "varnish", set: "`timeout_idle=3`", scheme: "http",
		args:    []string{"-F", "-n", "DIR/varnish", "-a", "HOST:PORT", "-b", "127.0.0.1:BACKENDPORT", "-s", "malloc,16m", "-p", "timeout_idle=3"},
		version: []string{"-V"},
		idle:    setIdle, ending: profile.FIN, breaks: []string{"close-staged"}},
	{name: "Squid", program: "squid", from: "squid", set: "`client_idle_pconn_timeout 3 seconds`", scheme: "http",
		files: map[string]string{"conf": squidConf}, args: []string{"-N", "-f", "DIR/conf"}, version: []string{"-v"},
		idle: setIdle, early: time.Second, late: time.Second, ending: profile.FIN, breaks: []string{"close-announced", "framing-both", "host-missing"}},
	{name: "Node", program: "node", from: "nodejs", set: "`keepAliveTimeout = 3000`, `maxRequestsPerSocket = 7`", scheme: "http",
		files: map[string]string{"server.js": nodeScript}, args: []string{"DIR/server.js"}, version: []string{"--version"},
		idle: setIdle, requests: setRequests, ending: profile.FIN, breaks: []string{"close-kept", "requests-enough", "close-staged"}},
	{name: "Go", set: "`IdleTimeout: 3 * time.Second`", scheme: "http", serve: goServer(false),
		idle: setIdle, ending: profile.FIN, breaks: []string{"framing-both", "close-staged"}},
	{name: "Go, TLS", set: "`IdleTimeout: 3 * time.Second`", scheme: "https", serve: goServer(true),
		idle: setIdle, ending: profile.CloseNotify, breaks: []string{"framing-both", "close-staged"}},
	{name: "Python", program: "python3", from: "python3", set: "`timeout = 3`, `protocol_version = 'HTTP/1.1'`", scheme: "http",
		files: map[string]string{"server.py": pythonScript}, args: []string{"DIR/server.py"}, version: []string{"--version"},
		idle: setIdle, ending: profile.FIN, breaks: []string{"close-staged", "close-repeated", "field-space", "host-missing", "http10-keep-alive"}},
	{name: "gunicorn, sync", program: "gunicorn", from: "gunicorn", set: "`--workers 2`", scheme: "http",
		files: map[string]string{"app.py": wsgiScript}, args: gunicorn("--workers", "2"), version: []string{"--version"},
		requests: 1, breaks: []string{"close-staged", "requests-enough", "head-empty", "host-missing"}},
	{name: "gunicorn, gthread", program: "gunicorn", from: "gunicorn", set: "`--threads 4 --keep-alive 3`", scheme: "http",
		files: map[string]string{"app.py": wsgiScript}, args: gunicorn("--threads", "4", "--keep-alive", "3"), version: []string{"--version"},
		idle: setIdle, late: time.Second, ending: profile.FIN, breaks: []string{"close-staged", "head-empty", "host-missing"}},
	{name: "uvicorn", program: "uvicorn", from: "uvicorn", set: "`--timeout-keep-alive 3`", scheme: "http",
		files: map[string]string{"app.py": asgiScript}, args: []string{"--host", "HOST", "--port", "PORT", "--timeout-keep-alive", "3", "--app-dir", "DIR", "--log-level", "critical", "app:app"}, version: []string{"--version"},
		idle: setIdle, ending: profile.FIN, breaks: []string{"framing-both"}},
	{name: "Puma", program: "puma", from: "puma", set: "`persistent_timeout 3`, `threads 4, 4`", scheme: "http",
		files: map[string]string{"puma.rb": pumaConf, "config.ru": rackScript}, args: []string{"-C", "DIR/puma.rb", "DIR/config.ru"}, version: []string{"--version"},
		idle: setIdle + 200*time.Millisecond, ending: profile.FIN, breaks: []string{"framing-both", "host-missing", "close-staged"}},
	{name: "unbound", program: "unbound", from: "unbound", set: "`tcp-idle-timeout: 3000`, `edns-tcp-keepalive-timeout: 3000`", scheme: "dns",
		files: map[string]string{"conf": unboundConf}, args: []string{"-d", "-c", "DIR/conf"}, version: []string{"-V"},
		idle: setIdle, ending: profile.FIN},
	{name: "knot", program: "knotd", from: "knot", set: "`tcp-idle-timeout: 3`", scheme: "dns",
		files: map[string]string{"conf": knotConf, "zone": knotZone}, args: []string{"-c", "DIR/conf"}, version: []string{"-V"},
		idle: setIdle, early: time.Second, late: 2 * time.Second, ending: profile.FIN},
}
