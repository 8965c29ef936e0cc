package weblog

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"linger/internal/testall"
)

// A writer is a server that writes logs, as a proxy before a server of ours.
type writer struct {
	name, program, from string
	config              string // its file DIR/conf; HOST:PORT, BACKEND, DIR stand for what they say
	args                []string
	beside              []string // a program that writes the log, where the server does not
	logs                []written
}

// written is a log: its format as it is configured, if it is to be given, and what it is
// found as, and what its lines have.
type written struct {
	file, format, found string
	clock               Clock
	has                 Fields
}

const (
	nginxFull  = `$remote_addr:$remote_port [$time_local] $msec "$request" $status $connection $connection_requests $request_time $bytes_sent $upstream_addr $upstream_connect_time $upstream_response_time "$http_x_forwarded_for"`
	nginxJSON  = `{"msec":"$msec","remote_addr":"$remote_addr","remote_port":"$remote_port","request":"$request","status":"$status","connection":"$connection","connection_requests":"$connection_requests","request_time":"$request_time","agent":"$http_user_agent"}`
	apacheFull = `%h %{remote}p %{usec}t \"%r\" %>s %O %I %D %k %X %{X-Forwarded-For}i`
	haproxyOwn = `%ci:%cp [%tr] %Ta/%Tc/%Tr %ST %B %rc %tsc %{+Q}r`
	varnishOwn = `%h %t \"%r\" %s %b %D %{X-Forwarded-For}i`
)

// haproxyRest is what follows the log's own lines among HAProxy's defaults.
const haproxyRest = `	mode http
	log global
	timeout connect 5s
	timeout client 30s
	timeout server 30s
frontend f
	bind HOST:PORT
	default_backend b
backend b
	server s BACKEND
`

var writers = []writer{
	{name: "nginx", program: "nginx", from: "nginx-light", args: []string{"-c", "DIR/conf", "-e", "DIR/error.log"},
		config: `daemon off; pid DIR/pid; events {}
http { log_format full '` + nginxFull + `'; log_format j escape=json '` + nginxJSON + `';
access_log DIR/combined.log; access_log DIR/full.log full; access_log DIR/json.log j;
client_body_temp_path DIR; proxy_temp_path DIR; fastcgi_temp_path DIR; uwsgi_temp_path DIR; scgi_temp_path DIR;
server { listen HOST:PORT; location / { proxy_pass http://BACKEND; proxy_http_version 1.1; proxy_set_header Connection ""; } } }`,
		logs: []written{
			{"combined.log", "", "combined", Unstated, Of(Client, Request, Status, Sent, Agent)},
			{"full.log", `log_format full '` + nginxFull + `';`, "", AtEnd, Of(Client, ClientPort, Request, Status, Connection, Number, Duration, Sent, Forwarded, Server, ServerTime)},
			{"json.log", "", "JSON", AtEnd, Of(Client, ClientPort, Request, Status, Connection, Number, Duration)},
		}},
	{name: "Apache", program: "apache2", from: "apache2", args: []string{"-X", "-f", "DIR/conf"},
		config: `ServerRoot DIR
ServerName 127.0.0.1
PidFile DIR/pid
ErrorLog DIR/error.log
DefaultRuntimeDir DIR
Listen HOST:PORT
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
User www-data
Group www-data
LogFormat "%v:%p %h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\"" vhost_combined
LogFormat "` + strings.Replace(apacheFull, "%O %I", "%B", 1) + `" full
CustomLog DIR/combined.log vhost_combined
CustomLog DIR/full.log full
ProxyPass / http://BACKEND/
`,
		logs: []written{
			{"combined.log", "", "vhost_combined", Unstated, Of(Client, Request, Status, Sent, Agent)},
			{"full.log", `LogFormat "` + strings.Replace(apacheFull, "%O %I", "%B", 1) + `" full`, "", AtStart, Of(Client, ClientPort, Request, Status, Number, Duration, Sent, Forwarded, State)},
		}},
	{name: "HAProxy", program: "haproxy", from: "haproxy", args: []string{"-f", "DIR/conf"},
		config: `global
	log stdout format raw local0
defaults
	option httplog
` + haproxyRest,
		logs: []written{{"stdout", "", "HAProxy httplog", AtStart, Of(Client, ClientPort, Request, Status, Duration, Server, ServerTime)}}},
	{name: "HAProxy, log-format", program: "haproxy", from: "haproxy", args: []string{"-f", "DIR/conf"},
		config: `global
	log stdout format rfc5424 local0
defaults
	log-format "` + haproxyOwn + `"
` + haproxyRest,
		logs: []written{{"stdout", `log-format "` + haproxyOwn + `"`, "", AtStart, Of(Client, ClientPort, Request, Status, Duration, ServerTime)}}},
	{name: "Caddy", program: "caddy", from: "caddy", args: []string{"run", "--adapter", "caddyfile", "--config", "DIR/conf"},
		config: `{
	admin off
	auto_https off
}
http://:PORT {
	bind HOST
	log {
		output file DIR/access.log
	}
	reverse_proxy BACKEND
}
`,
		logs: []written{{"access.log", "", "Caddy JSON", AtEnd, Of(Client, ClientPort, URI, Status, Duration, Sent, Agent, Forwarded)}}},
	{name: "lighttpd", program: "lighttpd", from: "lighttpd", args: []string{"-D", "-f", "DIR/conf"},
		config: `server.document-root = "DIR"
server.port = PORT
server.bind = "HOST"
server.modules = ("mod_accesslog", "mod_proxy")
accesslog.filename = "DIR/access.log"
proxy.server = ("" => (("host" => "BACKHOST", "port" => BACKPORT)))
`,
		logs: []written{{"access.log", "", "combined", Unstated, Of(Client, Request, Status, Sent, Agent)}}},
	{name: "Squid", program: "squid", from: "squid", args: []string{"-N", "-f", "DIR/conf"},
		config: `http_port HOST:PORT accel defaultsite=127.0.0.1 no-vhost
cache_peer BACKHOST parent BACKPORT 0 no-query originserver name=backend
http_access allow all
cache deny all
pid_filename DIR/pid
cache_log DIR/cache.log
access_log stdio:DIR/access.log squid
logfile_rotate 0
coredump_dir DIR
visible_hostname localhost
shutdown_lifetime 0 seconds
buffered_logs off
`,
		logs: []written{{"access.log", "", "Squid", AtEnd, Of(Client, URI, Status, Duration, Sent)}}},
	{name: "Varnish", program: "varnishd", from: "varnish",
		args:   []string{"-F", "-n", "DIR/varnish", "-a", "HOST:PORT", "-b", "BACKEND", "-s", "malloc,16m"},
		beside: []string{"varnishncsa", "-n", "DIR/varnish", "-w", "DIR/access.log", "-F", strings.ReplaceAll(varnishOwn, `\"`, `"`)},
		logs:   []written{{"access.log", varnishOwn, "", AtStart, Of(Client, Request, Status, Duration, Sent, Forwarded)}}},
}

// asked is one request as the client saw it.
type asked struct {
	path             string
	port             int64
	number           int64 // on its connection
	status, body     int64
	sent, whole      time.Time
	forwarded, agent string
}

// TestRealServers holds what is read of real servers' logs against what was asked of them.
func TestRealServers(t *testing.T) {
	for _, w := range writers {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			if testall.Located(w.program) == "" || len(w.beside) > 0 && testall.Located(w.beside[0]) == "" {
				testall.Lacks(t, "%s is not installed; Debian has it in %s", w.program, w.from)
			}
			dir, address, stop := w.start(t)
			requests := ask(t, address)
			for _, l := range w.logs {
				w.check(t, filepath.Join(dir, l.file), l, requests)
			}
			stop()
		})
	}
}

// start starts the server before one of ours, and returns where its files are and where it
// listens.
func (w writer) start(t *testing.T) (dir, address string, stop func()) {
	t.Helper()
	backend := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/slow"):
			time.Sleep(600 * time.Millisecond)
		case strings.HasPrefix(r.URL.Path, "/missing"):
			rw.WriteHeader(http.StatusNotFound)
		}
		rw.Write(bytes.Repeat([]byte("x"), 1000+len(r.URL.Path)))
	}))
	t.Cleanup(backend.Close)
	dir, address = testall.OpenDir(t), testall.FreeAddress(t)
	host, port, _ := net.SplitHostPort(address)
	target := backend.Listener.Addr().String()
	backHost, backPort, _ := net.SplitHostPort(target)
	fill := strings.NewReplacer("DIR", dir, "HOST:PORT", address, "BACKHOST", backHost, "BACKPORT", backPort, "BACKEND", target, "PORT", port, "HOST", host)
	if err := os.WriteFile(filepath.Join(dir, "conf"), []byte(fill.Replace(w.config)), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(filepath.Join(dir, "stdout"))
	if err != nil {
		t.Fatal(err)
	}
	run := func(args []string) func() {
		cmd := exec.Command(testall.Located(args[0]))
		for _, a := range args[1:] {
			cmd.Args = append(cmd.Args, fill.Replace(a))
		}
		cmd.Stdout, cmd.Dir, cmd.Env = out, dir, append(os.Environ(), "HOME="+dir)
		var said bytes.Buffer
		cmd.Stderr = &said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return func() {
			cmd.Process.Signal(os.Interrupt)
			stopped := time.AfterFunc(10*time.Second, func() { cmd.Process.Kill() })
			cmd.Wait()
			stopped.Stop()
			if t.Failed() {
				t.Logf("%s said: %s", args[0], said.String())
			}
		}
	}
	stops := []func(){run(append([]string{w.program}, w.args...))}
	stop = func() {
		for _, f := range stops {
			f()
		}
		stops = nil
		out.Close()
	}
	t.Cleanup(func() { stop() })
	for range 200 {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			if len(w.beside) > 0 {
				stops = append([]func(){run(w.beside)}, stops...)
				time.Sleep(2 * time.Second) // it says nowhere when it has begun
			}
			return dir, address, stop
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("it does not listen")
	return
}

// ask sends requests on two connections.
func ask(t *testing.T, address string) []asked {
	t.Helper()
	var all []asked
	for _, paths := range [][]string{{"/one", "/missing", "/slow", "/a%20%22b%22"}, {"/two"}} {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(20 * time.Second))
		from := bufio.NewReader(conn)
		for i, path := range paths {
			_, port, _ := net.SplitHostPort(conn.LocalAddr().String())
			a := asked{path: path, number: int64(i + 1), forwarded: "192.0.2.7", agent: `odd "agent" \ of tests`, sent: time.Now()}
			a.port, _ = strconv.ParseInt(port, 10, 64)
			fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: example.com\r\nUser-Agent: %s\r\nX-Forwarded-For: %s\r\n\r\n", path, a.agent, a.forwarded)
			r, err := http.ReadResponse(from, nil)
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			n, err := io.Copy(io.Discard, r.Body)
			if err != nil {
				t.Fatal(err)
			}
			a.status, a.body, a.whole = int64(r.StatusCode), n, time.Now()
			all = append(all, a)
		}
		conn.Close()
	}
	return all
}

// check reads a log and holds each line against what was asked.
func (w writer) check(t *testing.T, file string, l written, requests []asked) {
	t.Helper()
	var log []byte
	for range 100 { // they write when it suits them
		log, _ = os.ReadFile(file)
		if !slices.ContainsFunc(requests, func(a asked) bool { return !bytes.Contains(log, []byte(a.path)) }) {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	layout, err := Detect(log)
	if l.format != "" {
		layout, err = Parse("", l.format)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	if l.format == "" && layout.Name != l.found {
		t.Errorf("found as %s, not as %s", layout.Name, l.found)
	}
	if layout.Clock != l.clock {
		t.Errorf("%s: the time is that of the %s, not of the %s", layout.Name, layout.Clock, l.clock)
	}
	if missing := l.has &^ layout.Has; missing != 0 {
		t.Errorf("%s lacks fields %b", layout.Name, missing)
	}
	p := NewParser(layout, ^Fields(0))
	p.OnBad = func(line []byte) {
		if bytes.Contains(line, []byte("HTTP/1.1")) {
			t.Errorf("bad: %s", line)
		}
	}
	p.Reset(log)
	seen := map[string]bool{}
	for {
		e, ok := p.Next()
		if !ok {
			break
		}
		for _, a := range requests {
			uri := string(e.URI)
			if e.Request != nil {
				_, uri, _ = strings.Cut(string(e.Request), " ")
				uri = strings.TrimSuffix(uri, " HTTP/1.1")
			}
			if uri == a.path || strings.HasSuffix(uri, "example.com"+a.path) || strings.HasSuffix(uri, "127.0.0.1"+a.path) {
				seen[a.path] = true
				a.check(t, layout, l.has, e)
			}
		}
	}
	if len(seen) != len(requests) {
		t.Errorf("%s: %d of %d requests were read:\n%s", layout.Name, len(seen), len(requests), log)
	}
}

func (a asked) check(t *testing.T, l *Layout, has Fields, e *Entry) {
	t.Helper()
	equal := func(f Field, got, want any) {
		t.Helper()
		if has.Has(f) && got != want {
			t.Errorf("%s, %s: %s is %v, not %v", l.Name, a.path, f, got, want)
		}
	}
	equal(Client, string(e.Client), "127.0.0.1")
	equal(ClientPort, e.ClientPort, a.port)
	equal(Status, e.Status, a.status)
	equal(Number, e.Number, a.number)
	forwarded, _, _ := strings.Cut(string(e.Forwarded), ",") // proxies add to it
	equal(Forwarded, forwarded, a.forwarded)
	if has.Has(Sent) && (e.Sent < a.body || e.Sent > a.body+600) {
		t.Errorf("%s, %s: %d bytes sent, with a body of %d", l.Name, a.path, e.Sent, a.body)
	}
	if has.Has(Connection) && e.Connection < 0 {
		t.Errorf("%s, %s: no connection", l.Name, a.path)
	}
	slow := strings.HasPrefix(a.path, "/slow")
	if d := time.Duration(e.Duration); has.Has(Duration) && (d < 0 || d > a.whole.Sub(a.sent)+time.Second || slow && d < 590*time.Millisecond) {
		t.Errorf("%s, %s: took %v, not %v", l.Name, a.path, d, a.whole.Sub(a.sent))
	}
	// Whether the time is that of the start or of the end shows where they lie apart.
	when := time.Unix(0, e.At)
	// lighttpd's seconds turn when those of its monotonic clock do, up to one later.
	fine := l.Resolution + l.Resolution*999/1000 + 20*time.Millisecond
	from, to := a.sent.Add(-fine), a.whole.Add(fine)
	if slow && l.Resolution < time.Second {
		switch l.Clock {
		case AtStart:
			to = a.sent.Add(400 * time.Millisecond)
		case AtEnd:
			from = a.sent.Add(550 * time.Millisecond)
		}
	}
	if when.Before(from) || when.After(to) {
		t.Errorf("%s, %s: %v is not the %s: sent %v, whole %v", l.Name, a.path, when, l.Clock, a.sent, a.whole)
	}
}
