package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/flags"
	"linger/internal/testall"
	"linger/rig"
	"linger/rig/far"
	"linger/trace"
)

// An ownProgram is a server that others wrote, with what it has to count its connections by.
type ownProgram struct {
	name, program, from string
	config              string // its file; DIR is where everything of the test is
	command             string // after the program's own path
	strategies          string // over TLS; over TCP in the clear those that need none
	seen                func(log []byte) map[string]bool
}

// firstWords are the first words of all lines, each the name of a connection.
func firstWords(log []byte) map[string]bool {
	seen := map[string]bool{}
	for in := bufio.NewScanner(bytes.NewReader(log)); in.Scan(); {
		word, _, _ := strings.Cut(in.Text(), " ")
		seen[word] = true
	}
	return seen
}

// remotePorts are those of the client in Caddy's log.
func remotePorts(log []byte) map[string]bool {
	seen := map[string]bool{}
	for in := bufio.NewScanner(bytes.NewReader(log)); in.Scan(); {
		var entry struct {
			Request struct {
				Port  string `json:"remote_port"`
				Proto string `json:"proto"`
			}
		}
		if json.Unmarshal(in.Bytes(), &entry) == nil {
			seen[entry.Request.Port] = true
		}
	}
	return seen
}

const ownStrategies = "close,close:6,keep,keep:6,pipeline,h2"

// ownPrograms name each connection in their logs: nginx by its own number of it, Apache and
// Caddy by the client's port, and Node tells of each when it is accepted.
var ownPrograms = []ownProgram{
	{name: "nginx", program: "nginx", from: "nginx-light", strategies: ownStrategies, seen: firstWords,
		command: "-c DIR/conf", // which becomes a daemon
		config: `USER
pid DIR/pid;
error_log DIR/error.log;
worker_processes 2;
events {}
http {
	types { text/html html; image/gif gif; }
	log_format one '$connection $connection_requests';
	access_log DIR/log one;
	client_body_temp_path DIR/tmp; proxy_temp_path DIR/tmp; fastcgi_temp_path DIR/tmp; uwsgi_temp_path DIR/tmp; scgi_temp_path DIR/tmp;
	server {
		listen 80;
		listen 443 ssl http2;
		ssl_certificate DIR/cert.pem;
		ssl_certificate_key DIR/key.pem;
		root DIR/www;
	}
}
`},
	{name: "Apache", program: "apache2", from: "apache2", strategies: ownStrategies, seen: firstWords,
		command: "-f DIR/conf -k start", // which becomes a daemon, too
		config: `ServerRoot DIR
ServerName origin
PidFile DIR/pid
ErrorLog DIR/error.log
DefaultRuntimeDir DIR
Listen 80
Listen 443
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule dir_module /usr/lib/apache2/modules/mod_dir.so
LoadModule mime_module /usr/lib/apache2/modules/mod_mime.so
LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so
LoadModule http2_module /usr/lib/apache2/modules/mod_http2.so
TypesConfig /dev/null
AddType text/html .html
USER
DocumentRoot DIR/www
LogFormat "%{remote}p %k" one
CustomLog DIR/log one
SSLSessionCache none
<VirtualHost *:443>
	SSLEngine on
	SSLCertificateFile DIR/cert.pem
	SSLCertificateKeyFile DIR/key.pem
	Protocols h2 http/1.1
</VirtualHost>
<Directory DIR>
	Require all granted
</Directory>
`},
	{name: "Node", program: "node", from: "nodejs", strategies: ownStrategies, seen: firstWords,
		command: "DIR/conf",
		config: `const fs = require('fs'), http = require('http'), http2 = require('http2')
const answer = (request, response) => {
	const path = request.url.endsWith('/') ? request.url + 'index.html' : request.url
	fs.readFile('DIR/www' + path, (error, content) => {
		response.writeHead(error ? 404 : 200, { 'content-type': path.endsWith('.html') ? 'text/html' : 'image/gif', 'content-length': error ? 0 : content.length })
		response.end(content)
	})
}
const keys = { key: fs.readFileSync('DIR/key.pem'), cert: fs.readFileSync('DIR/cert.pem'), allowHTTP1: true }
let connections = 0
for (const [server, port] of [[http.createServer(answer), 80], [http2.createSecureServer(keys, answer), 443]]) {
	server.on('connection', () => fs.appendFileSync('DIR/log', ++connections + '\n'))
	server.listen(port)
}
`},
	{name: "Caddy", program: "caddy", from: "caddy", strategies: ownStrategies + ",h3", seen: remotePorts,
		command: "run --adapter caddyfile --config DIR/conf",
		config: `{
	admin off
	auto_https off
	storage file_system DIR
}
(one) {
	root * DIR/www
	file_server
	log {
		output file DIR/log
	}
}
http://origin {
	import one
}
https://origin {
	import one
	tls DIR/cert.pem DIR/key.pem
}
`},
}

// start puts the program's files into a folder of their own, and returns the server as the
// flags have it, and where its log is.
func (p ownProgram) start(t *testing.T, scheme string) (o *far.Own, log string) {
	t.Helper()
	path, dir := program(t, p.program, p.from), t.TempDir()
	files(t, linger.Gallery(1), filepath.Join(dir, "www"))
	roots := certify(t, dir, "origin")
	user := ""
	if os.Geteuid() == 0 {
		// Servers give their rights up, and must read what root has written.
		user = map[string]string{"nginx": "user root;", "apache2": "User www-data\nGroup www-data"}[p.program]
		if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	fill := strings.NewReplacer("DIR", dir, "USER", user)
	if err := os.WriteFile(filepath.Join(dir, "conf"), []byte(fill.Replace(p.config)), 0o644); err != nil {
		t.Fatal(err)
	}
	flag := flags.OriginCommandFlag{OriginCommand: fmt.Sprintf("HOME=%s exec %s %s", dir, path, fill.Replace(p.command))}
	o, err := flag.Own(scheme+"://origin/", flags.ReachFlags{CACert: roots}, rig.Agent(version), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	return o, filepath.Join(dir, "log")
}

func strategies(t *testing.T, list string) []linger.Strategy {
	t.Helper()
	s, err := linger.ParseStrategies(list)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestConnectionsEqualTheServersOwnCount holds our connections, and those of the link's ledger,
// against what each server says of itself, trial by trial.
func TestConnectionsEqualTheServersOwnCount(t *testing.T) {
	needLab(t)
	for _, p := range ownPrograms {
		for _, scheme := range []string{"http", "https"} {
			t.Run(p.name+" "+scheme, func(t *testing.T) {
				list := p.strategies
				if scheme == "http" {
					list = "close:6,keep"
				}
				if p.name != "nginx" || scheme != "http" {
					testall.Long(t, "several seconds, since a lab is opened for each server")
				}
				t.Parallel()
				p.count(t, scheme, list)
			})
		}
	}
}

func (p ownProgram) count(t *testing.T, scheme, list string) {
	o, log := p.start(t, scheme)
	first, err := linger.ParseStrategy("keep:6")
	if err != nil {
		t.Fatal(err)
	}
	page, err := rig.VisitOwn(t.Context(), o, first, 0)
	if err != nil {
		explainOwn(streamsOf(nil, nil, os.Stderr, os.Getenv), o)
		t.Fatal(err)
	}
	if n := len(page.Workload.Exchanges); n != 41 {
		t.Fatalf("the visit found %d objects; want the gallery's 41", n)
	}
	w := rig.Found(page.Workload)
	for trial := range 2 {
		for _, s := range strategies(t, list) {
			before := p.counted(t, log)
			one, err := rig.Lab{Own: o, Lost: func(err error) { t.Error(err) }}.Run(t.Context(),
				linger.Scenario{Workload: w, Strategy: s, Network: linger.Network{Name: "near", RTT: 5 * time.Millisecond}, Seed: 1}, trial)
			if err != nil {
				t.Fatalf("%s: %v", s.Name, err)
			}
			if failed := rig.Failure(one); failed != "" {
				t.Errorf("%s: %s", s.Name, failed)
			}
			ours, link := len(one.Connections), len(one.Ledger.Or(trace.Ledger{}).Connections)
			theirs := p.counted(t, log) - before
			// A log is written when a response is over, which its client knows first.
			for deadline := time.Now().Add(5 * time.Second); theirs != ours && time.Now().Before(deadline); {
				time.Sleep(10 * time.Millisecond)
				theirs = p.counted(t, log) - before
			}
			t.Logf("%s: %d connections, %d on the link, %d by the server's count", s.Name, ours, link, theirs)
			if ours != theirs || ours != link {
				t.Errorf("%s: %d connections, %d on the link, %d by the server's own count", s.Name, ours, link, theirs)
			}
			host := one.Server.Or(trace.Host{})
			if host.CPU <= 0 || host.ResidentPeak < 1<<20 || host.SocketsPeak == 0 && !s.QUIC() {
				t.Errorf("%s: the server has used %+v", s.Name, host)
			}
		}
	}
}

// counted is how many connections the server has counted so far. Of one that names them by the
// client's ports a port that comes twice would count once; it does not within so few.
func (p ownProgram) counted(t *testing.T, log string) int {
	t.Helper()
	b, err := os.ReadFile(log)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return len(p.seen(b))
}

// What cannot be tried is left out of what is tried by default only.
func TestUsualStrategiesOfAServer(t *testing.T) {
	needLab(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		scheme, listens string
		list, note      string
	}{
		{"https", "--https 0.0.0.0:443", "close,close:6,keep,keep:6,pipeline,h2", "h3 is left out, since the server does not listen on UDP port 443; name it by -s to have it tried"},
		{"https", "--https 0.0.0.0:443 --h3 0.0.0.0:443", "", ""},
		{"http", "--http 0.0.0.0:80", "", ""},
	} {
		t.Run(tt.listens, func(t *testing.T) {
			t.Parallel()
			flag := flags.OriginCommandFlag{OriginCommand: fmt.Sprintf("'%s' linger serve textbook:1 %s", exe, tt.listens)}
			o, err := flag.Own(tt.scheme+"://origin/", flags.ReachFlags{Insecure: true}, rig.Agent(version), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer o.Close()
			if _, err := rig.VisitOwn(t.Context(), o, strategies(t, "keep:6")[0], 0); err != nil {
				t.Fatal(err)
			}
			if list, note := o.Usual(tt.scheme); list != tt.list || note != tt.note {
				t.Errorf("%q, %q; want %q, %q", list, note, tt.list, tt.note)
			}
		})
	}
}
