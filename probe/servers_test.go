package probe_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"linger/conformance"
	"linger/probe"
	"linger/profile"
)

// go test ./probe -run TestRealServers -update rewrites the table of serversDoc.
var update = flag.Bool("update", false, "rewrite the table of "+serversDoc)

const (
	serversDoc = "../docs/probe-servers.md"
	// What the servers are told.
	setIdle     = 3 * time.Second
	setRequests = 7
)

// skip skips a test for what the machine lacks, and fails it where nothing may lack.
func skip(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("LINGER_TEST_ALL") == "1" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// A place is what a server is started with.
type place struct {
	dir, address, port string
	pem                string // key and certificate of 127.0.0.1, in one file
}

// A realServer is a program that others wrote, and what it was told.
type realServer struct {
	name    string
	program string // "" is Go's own
	from    string // Debian's package
	set     string // in the words of the program
	scheme  string
	// files are written to the place's directory, and args start the program; in both,
	// DIR, PORT and PEM stand for those of the place.
	files   map[string]string
	args    []string
	version []string // arguments that have it say its version
	serve   func(t *testing.T, at place)

	idle     time.Duration // that it was told
	tick     time.Duration // by how much more it may be, as coarsely as it looks
	requests int           // that it allows on a connection, by what it was told; 0 is no limit
	ending   profile.Ending
	breaks   []string // cases, each checked by hand and explained in the document
	attimes  string   // a case that it breaks when the request meets it so
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
	server { listen 127.0.0.1:PORTBIND;CERTIFICATE root DIR; }
}
`

// nginxTLS is what stands for BIND and CERTIFICATE where nginx speaks TLS.
var nginxTLS = strings.NewReplacer("BIND", " ssl", "CERTIFICATE", " ssl_certificate PEM; ssl_certificate_key PEM;")

var nginxCleartext = strings.NewReplacer("BIND", "", "CERTIFICATE", "")

const apacheConf = `ServerRoot DIR
ServerName 127.0.0.1
PidFile DIR/pid
ErrorLog DIR/error.log
DefaultRuntimeDir DIR
Listen 127.0.0.1:PORT
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule dir_module /usr/lib/apache2/modules/mod_dir.so
MORE
User www-data
Group www-data
StartServers 1
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
SSLSessionCache none`

const haproxyConf = `defaults
	mode http
	timeout connect 5s
	timeout client 30s
	timeout server 30s
	timeout http-request 10s
	timeout http-keep-alive 3s
frontend f
	bind 127.0.0.1:PORT BIND
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
server.bind = "127.0.0.1"
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
server.listen(PORT, '127.0.0.1');
`

const pythonScript = `import http.server, os
os.chdir('DIR')
class Handler(http.server.SimpleHTTPRequestHandler):
	protocol_version = 'HTTP/1.1'
	timeout = 3
	def log_message(self, *args): pass
http.server.ThreadingHTTPServer(('127.0.0.1', PORT), Handler).serve_forever()
`

// realServers are probed at once.
var realServers = []realServer{
	{name: "nginx", program: "nginx", from: "nginx-light", set: "`keepalive_timeout 3s; keepalive_requests 7`", scheme: "http",
		files: map[string]string{"conf": nginxCleartext.Replace(nginxConf)}, args: []string{"-e", "DIR/error.log", "-c", "DIR/conf"}, version: []string{"-v"},
		idle: setIdle, requests: setRequests, ending: profile.FIN, breaks: []string{"requests-enough"}},
	{name: "nginx, TLS", program: "nginx", from: "nginx-light", set: "`keepalive_timeout 3s; keepalive_requests 7`", scheme: "https",
		files: map[string]string{"conf": nginxTLS.Replace(nginxConf)}, args: []string{"-e", "DIR/error.log", "-c", "DIR/conf"}, version: []string{"-v"},
		idle: setIdle, requests: setRequests, ending: profile.CloseNotify, breaks: []string{"requests-enough"}},
	{name: "Apache", program: "apache2", from: "apache2", set: "`KeepAliveTimeout 3`, `MaxKeepAliveRequests 7`", scheme: "http",
		files: map[string]string{"conf": strings.Replace(apacheConf, "MORE\n", "", 1)}, args: []string{"-f", "DIR/conf", "-DFOREGROUND"}, version: []string{"-v"},
		idle: setIdle, requests: setRequests + 1, ending: profile.FIN, breaks: []string{"requests-enough"}},
	{name: "Apache, TLS", program: "apache2", from: "apache2", set: "`KeepAliveTimeout 3`, `MaxKeepAliveRequests 7`", scheme: "https",
		files: map[string]string{"conf": strings.Replace(apacheConf, "MORE", apacheTLS, 1)}, args: []string{"-f", "DIR/conf", "-DFOREGROUND"}, version: []string{"-v"},
		idle: setIdle, requests: setRequests + 1, ending: profile.CloseNotify, breaks: []string{"requests-enough"}},
	{name: "HAProxy", program: "haproxy", from: "haproxy", set: "`timeout http-keep-alive 3s`", scheme: "http",
		files: map[string]string{"conf": strings.Replace(haproxyConf, " BIND", "", 1)}, args: []string{"-db", "-f", "DIR/conf"}, version: []string{"-v"},
		idle: setIdle, ending: profile.FIN, breaks: []string{"host-missing", "close-staged"}},
	{name: "HAProxy, TLS", program: "haproxy", from: "haproxy", set: "`timeout http-keep-alive 3s`", scheme: "https",
		files: map[string]string{"conf": strings.Replace(haproxyConf, "BIND", "ssl crt PEM", 1)}, args: []string{"-db", "-f", "DIR/conf"}, version: []string{"-v"},
		idle: setIdle, ending: profile.CloseNotify, breaks: []string{"host-missing", "close-staged"}},
	{name: "Caddy", program: "caddy", from: "caddy", set: "`timeouts { idle 3s }`", scheme: "http",
		files: map[string]string{"conf": caddyFile}, args: []string{"run", "--adapter", "caddyfile", "--config", "DIR/conf"}, version: []string{"version"},
		idle: setIdle, ending: profile.FIN, breaks: []string{"framing-both", "close-staged"}},
	{name: "lighttpd", program: "lighttpd", from: "lighttpd", set: "`server.max-keep-alive-idle = 3`, `server.max-keep-alive-requests = 7`", scheme: "http",
		files: map[string]string{"conf": lighttpdConf}, args: []string{"-D", "-f", "DIR/conf"}, version: []string{"-v"},
		idle: setIdle, tick: 2 * time.Second, requests: setRequests + 1, ending: profile.FIN,
		breaks: []string{"requests-enough"}, attimes: "idle-no-race"},
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
}

// quiet is the log of a server of which errors are expected.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

func goServer(secure bool) func(*testing.T, place) {
	return func(t *testing.T, at place) {
		ln, err := net.Listen("tcp", at.address)
		if err != nil {
			t.Fatal(err)
		}
		mux := http.NewServeMux()
		mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") })
		s := &http.Server{Handler: mux, ErrorLog: quiet(), IdleTimeout: setIdle, TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}}
		if secure {
			go s.ServeTLS(ln, at.pem, at.pem)
		} else {
			go s.Serve(ln)
		}
		t.Cleanup(func() { s.Close() })
	}
}

// authority makes a key and a certificate of 127.0.0.1 that vouches for itself.
func authority(t *testing.T) (roots *x509.CertPool, pemFile []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots = x509.NewCertPool()
	roots.AddCert(certificate)
	var b bytes.Buffer
	pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: der})
	pem.Encode(&b, &pem.Block{Type: "PRIVATE KEY", Bytes: private})
	return roots, b.Bytes()
}

// located returns where a program is, or "".
func located(name string) string {
	for _, at := range []string{name, "/usr/sbin/" + name} {
		if path, err := exec.LookPath(at); err == nil {
			return path
		}
	}
	return ""
}

// start starts the server, and returns where it is once it listens.
func (s realServer) start(t *testing.T, pemFile []byte) (target, dir string) {
	t.Helper()
	// Servers that give up root's rights have to find what is theirs.
	dir, err := os.MkdirTemp("", "linger-servers")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := place{dir: dir, address: ln.Addr().String(), pem: filepath.Join(dir, "pem")}
	_, at.port, _ = net.SplitHostPort(at.address)
	ln.Close()
	fill := strings.NewReplacer("DIR", at.dir, "PORT", at.port, "PEM", at.pem)
	write := func(name string, text []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("pem", pemFile)
	write("index.html", []byte("hello\n"))
	for name, text := range s.files {
		write(name, []byte(fill.Replace(text)))
	}
	if s.serve != nil {
		s.serve(t, at)
	} else {
		args := make([]string, len(s.args))
		for i, a := range s.args {
			args[i] = fill.Replace(a)
		}
		cmd := exec.Command(located(s.program), args...)
		var said bytes.Buffer
		cmd.Stdout, cmd.Stderr, cmd.Dir = &said, &said, dir
		cmd.Env = append(os.Environ(), "HOME="+dir)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			cmd.Process.Signal(os.Interrupt)
			gone := make(chan struct{})
			go func() { cmd.Wait(); close(gone) }()
			select {
			case <-gone:
			case <-time.After(5 * time.Second):
				cmd.Process.Kill()
				<-gone
			}
			if t.Failed() {
				t.Logf("%s said: %s", s.name, said.String())
			}
		})
	}
	for range 100 {
		if c, err := net.Dial("tcp", at.address); err == nil {
			c.Close()
			return s.scheme + "://" + at.address + "/", dir
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("%s does not listen", s.name)
	return "", ""
}

// saysVersion is the version of the program, in its own words.
func (s realServer) saysVersion() string {
	if s.program == "" {
		return strings.TrimPrefix(runtime.Version(), "go")
	}
	out, _ := exec.Command(located(s.program), s.version...).CombinedOutput()
	for word := range strings.FieldsSeq(string(out)) {
		if i := strings.IndexAny(word, "0123456789"); i >= 0 && strings.Contains(word, ".") {
			word = word[i:]
			if end := strings.IndexFunc(word, func(r rune) bool { return r != '.' && (r < '0' || r > '9') }); end > 0 {
				word = word[:end]
			}
			return word
		}
	}
	return ""
}

// TestRealServers holds what is measured of servers against what they were told, all
// at once. What the document has of them is held against it, too.
func TestRealServers(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a quarter of a minute")
	}
	for _, s := range realServers {
		if s.program != "" && located(s.program) == "" {
			skip(t, "%s is not installed; Debian has it in %s", s.program, s.from)
		}
	}
	roots, pemFile := authority(t)
	policies := make([]*profile.Profile, len(realServers))
	errs := make([]error, len(realServers))
	servers := slices.Clone(realServers)
	dirs := make([]string, len(servers))
	configs := make([]probe.Config, len(servers))
	var all sync.WaitGroup
	for i, s := range servers {
		var target string
		target, dirs[i] = s.start(t, pemFile)
		configs[i] = probe.Config{Target: target, Roots: roots, MaxWait: 20 * time.Second}
		all.Go(func() {
			policies[i], errs[i] = probe.Run(context.Background(), configs[i])
		})
	}
	all.Wait()
	for i, p := range policies {
		policies[i], errs[i] = again(p, errs[i], configs[i])
	}
	for i, s := range servers {
		t.Run(s.name, func(t *testing.T) {
			if errs[i] != nil {
				t.Fatal(errs[i])
			}
			if wasBusy(policies[i]) {
				skip(t, "this machine is too busy to say")
			}
			// What a server makes of what it was told, where it says so.
			if told, err := os.ReadFile(filepath.Join(dirs[i], "told")); err == nil {
				ms, err := strconv.Atoi(string(told))
				if err != nil {
					t.Fatal(err)
				}
				s.idle = time.Duration(ms) * time.Millisecond
			}
			s.hold(t, policies[i])
		})
	}
	if !t.Failed() {
		checkServersDoc(t, policies)
	}
}

// hold holds a profile against what the server was told.
func (s realServer) hold(t *testing.T, p *profile.Profile) {
	h := p.ProtocolNamed("http/1.1")
	limit := h.AfterResponse
	t.Logf("idle %s, low %v high %v, ± %v; requests %+v; after connecting %s, after TLS %s", limit, time.Duration(limit.Low), time.Duration(limit.High), time.Duration(limit.Uncertainty), h.Requests, h.AfterConnect, h.AfterTLS)
	near := max(s.idle/50, 100*time.Millisecond)
	median := time.Duration(limit.Median)
	switch {
	case limit.State != profile.Measured:
		t.Errorf("the idle limit is %s: %s", limit.State, limit.Why)
	case s.tick == 0 && (median-s.idle).Abs() > near:
		t.Errorf("the idle limit is %v, want %v ± %v", median, s.idle, near)
	case s.tick > 0 && (time.Duration(limit.Low) < s.idle-near || time.Duration(limit.High) > s.idle+s.tick+near):
		t.Errorf("the idle limit is %v to %v, want %v to %v", time.Duration(limit.Low), time.Duration(limit.High), s.idle, s.idle+s.tick)
	}
	if limit.Ending != s.ending {
		t.Errorf("idle connections end by %q, want %q", limit.Ending, s.ending)
	}
	switch {
	case s.requests > 0 && (h.Requests.State != profile.Measured || h.Requests.N != s.requests):
		t.Errorf("requests on a connection: %s %d, want %d", h.Requests.State, h.Requests.N, s.requests)
	case s.requests == 0 && h.Requests.State != profile.AtLeast:
		t.Errorf("requests on a connection: %s %d, want a lower bound", h.Requests.State, h.Requests.N)
	}
	if p.Spent.Peak > probe.DefaultConnections || p.Spent.Requests > probe.DefaultRequests {
		t.Errorf("it took %+v", p.Spent)
	}
	for _, r := range p.Cases {
		t.Logf("%-12s %-22s %s", r.Outcome, r.ID, r.Text)
		broken := r.Outcome == profile.Fail || r.Outcome == profile.Warn
		if known := slices.Contains(s.breaks, r.ID); broken != known && r.ID != s.attimes {
			t.Errorf("%s: %s (%s); is it known that it breaks that: %v", r.ID, r.Outcome, r.Text, known)
		}
	}
}

// checkServersDoc holds the table of the document against what was measured, but for
// what differs from one time to the next.
func checkServersDoc(t *testing.T, policies []*profile.Profile) {
	var b, exact strings.Builder
	b.WriteString("| server | version | told | idle after a response | spread | ends by | requests on a connection | breaks |\n|---|---|---|---|---|---|---|---|\n")
	for i, s := range realServers {
		p := policies[i]
		h := p.ProtocolNamed("http/1.1")
		requests := fmt.Sprint(h.Requests.N)
		if h.Requests.State == profile.AtLeast {
			requests = "≥ " + requests
		}
		var broken []string
		for _, r := range p.Cases {
			if (r.Outcome == profile.Fail || r.Outcome == profile.Warn) && r.ID != s.attimes {
				broken = append(broken, fmt.Sprintf("`%s` (%s)", r.ID, r.Outcome))
			}
		}
		if s.attimes != "" {
			broken = append(broken, fmt.Sprintf("at times `%s` (%s)", s.attimes, conformance.CaseByID(s.attimes).Level.Broken()))
		}
		if broken == nil {
			broken = []string{"nothing"}
		}
		limit := h.AfterResponse
		seconds := func(d profile.Duration) string { return fmt.Sprintf("%.3f s", time.Duration(d).Seconds()) }
		end := fmt.Sprintf(" | %s | %s | %s |\n", limit.Ending, requests, strings.Join(broken, ", "))
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s to %s%s", s.name, s.saysVersion(), s.set, seconds(limit.Median), seconds(limit.Low), seconds(limit.High), end)
		fmt.Fprintf(&exact, "| %s | %s%s", s.name, s.set, end)
	}
	text, err := os.ReadFile(serversDoc)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), "<!-- table -->\n\n")
	was, after, done := strings.Cut(rest, "\n<!-- end -->")
	if !ok || !done {
		t.Fatalf("%s has no place for the table", serversDoc)
	}
	if *update {
		if err := os.WriteFile(serversDoc, []byte(before+"<!-- table -->\n\n"+b.String()+"\n<!-- end -->"+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	// Times and versions are those of one day and one machine.
	var had strings.Builder
	for _, line := range strings.Split(strings.TrimSuffix(was, "\n"), "\n")[2:] {
		cell := strings.Split(line, " | ")
		fmt.Fprintf(&had, "%s | %s | %s\n", cell[0], cell[2], strings.Join(cell[5:], " | "))
	}
	if had.String() != exact.String() {
		t.Errorf("the table of %s is stale; go test ./probe -run TestRealServers -update writes it anew. Measured, without the times:\n%s", serversDoc, &exact)
	}
}
