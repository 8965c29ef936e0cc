package inferred

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/internal/testall"
	"linger/internal/testcert"
	"linger/lab"
)

// programs are the captures of programs that others wrote. The server's log says how many
// requests each connection carried.
var programs = []struct {
	kind, client, server, over string
	loss                       float64
	ask                        string // by sh, in a folder with the files below
	serve                      string // what the server's configuration has beside
}{
	{kind: "h1", client: "curl", server: "nginx", over: "TLS 1.3", ask: curl1 + `"https://server/small?[1-1]"`},
	{kind: "h1", client: "curl", server: "nginx", over: "TLS 1.3, 100", ask: curl1 + `"https://server/small?[1-100]"`},
	{kind: "h1", client: "curl", server: "nginx", over: "TLS 1.3, large", ask: curl1 + `"https://server/large?[1-10]"`},
	{kind: "h1", client: "curl", server: "nginx", over: "TLS 1.2", ask: curl1 + `--tls-max 1.2 "https://server/small?[1-40]"`},
	{kind: "h1", client: "curl", server: "nginx", over: "TLS 1.2, CBC", ask: curl1 + `--tls-max 1.2 --ciphers ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES128-SHA "https://server/small?[1-40]"`},
	{kind: "h1", client: "curl", server: "nginx", over: "TLS 1.3", loss: 0.02, ask: curl1 + `"https://server/small?[1-100]"`},
	{kind: "h1", client: "curl", server: "nginx", over: "a connection each", ask: `for i in 1 2 3 4 5 6 7 8; do ` + curl1 + `https://server/small?$i; done`},
	{kind: "h1", client: "curl", server: "node", over: "TLS 1.3", ask: curl1 + `"https://server/small?[1-50]"`},
	{kind: "h1", client: "curl", server: "node", over: "chunks with pauses", ask: curl1 + `"https://server/slow?[1-10]"`},
	{kind: "h1", client: "curl", server: "caddy", over: "TLS 1.3", ask: curl1 + `"https://server/small?[1-50]"`},
	{kind: "h1", client: "node", server: "nginx", over: "kept", ask: "node --tls-keylog=keys get.js 60"},
	{kind: "h1", client: "node", server: "caddy", over: "kept", ask: "node --tls-keylog=keys get.js 60"},
	{kind: "h1", client: "node", server: "node", over: "kept", loss: 0.02, ask: "node --tls-keylog=keys get.js 60"},
	{kind: "h1", client: "Python", server: "nginx", over: "http.client", ask: "python3 get.py 60"},
	{kind: "h1", client: "Python", server: "node", over: "http.client", ask: "python3 get.py 60"},
	{kind: "h1", client: "Go", server: "nginx", over: "kept", ask: "ask 1 60"},
	{kind: "h1", client: "Go", server: "caddy", over: "kept", ask: "ask 1 60"},
	{kind: "h1", client: "h2load", server: "nginx", over: "5 connections", ask: "h2load --h1 -n 100 -c 5 https://server/small"},
	{kind: "h1-offered", client: "Chromium", server: "node", over: "a page", ask: chromium},
	{kind: "h1-offered", client: "curl", server: "nginx", over: "TLS 1.3", ask: `curl -sk -o out "https://server/small?[1-40]"`},
	{kind: "h1-upload", client: "curl", server: "node", over: "100-continue", ask: curl1 + `-H "Expect: 100-continue" -T "{big,big,small,big,big,small}" https://server/`},
	{kind: "h1-upload", client: "curl", server: "node", over: "as it is", ask: curl1 + `-T "{big,small,big,small,big,small,small,small}" https://server/`},
	{kind: "h1-upload", client: "curl", server: "nginx", over: "answered early", ask: curl1 + `-H "Expect:" -T "{big,small,big,small,big}" https://server/`},
	{kind: "h1-upload", client: "curl", server: "node", over: "as it is", loss: 0.02, ask: curl1 + `-T "{big,small,big,small,big,small,small,small}" https://server/`},
	{kind: "h1-upload", client: "Go", server: "node", over: "kept", ask: "ask 1 20 post"},
	{kind: "h1-upload", client: "Python", server: "node", over: "http.client", ask: "python3 get.py 20 post"},
	{kind: "h1-upload", client: "node", server: "node", over: "kept", ask: "node --tls-keylog=keys get.js 20 post"},
	{kind: "h1-pipelined", client: "openssl", server: "nginx", over: "21 at once", ask: `(for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do printf "GET /small HTTP/1.1\r\nHost: server\r\n\r\n"; done; printf "GET /small HTTP/1.1\r\nHost: server\r\nConnection: close\r\n\r\n"; sleep 2) | openssl s_client -quiet -connect server:443`},
	{kind: "h2", client: "curl", server: "nginx", over: "one after another", ask: `curl -sk --http2 -o out "https://server/small?[1-40]"`},
	{kind: "h2-side", client: "curl", server: "nginx", over: "side by side", ask: `curl -sk --http2 -Z -o "out#1" "https://server/small?[1-40]"`},
	{kind: "h2", client: "curl", server: "caddy", over: "one after another", ask: `curl -sk --http2 -o out "https://server/small?[1-40]"`},
	{kind: "h2", client: "curl", server: "nginx", over: "large", loss: 0.01, ask: `curl -sk --http2 -o out "https://server/large?[1-10]"`},
	{kind: "h2", client: "node", server: "nginx", over: "one after another", ask: "node --tls-keylog=keys get2.js 40"},
	{kind: "h2", client: "node", server: "nodeh2", over: "one after another", ask: "node --tls-keylog=keys get2.js 40"},
	{kind: "h2", client: "Go", server: "nginx", over: "one after another", ask: "ask 2 40"},
	{kind: "h2", client: "Go", server: "caddy", over: "one after another", ask: "ask 2 40"},
	{kind: "h2-side", client: "h2load", server: "nginx", over: "2 connections, 10 streams", ask: "h2load -n 100 -c 2 -m 10 https://server/small"},
	{kind: "h2-side", client: "Chromium", server: "nginx", over: "a page", ask: chromium},
	{kind: "h2-upload", client: "curl", server: "nodeh2", over: "one after another", ask: `curl -sk --http2 -T "{big,small,big,small,big,small}" https://server/`},
	{kind: "h2-upload", client: "Go", server: "nodeh2", over: "one after another", ask: "ask 2 20 post"},
}

const (
	curl1    = `curl -sk --http1.1 -o out `
	chromium = `chromium --headless=new --no-sandbox --disable-gpu --disable-background-networking --disable-component-update --ignore-certificate-errors --ssl-key-log-file=keys --user-data-dir=user --dump-dom https://server/page.html`
)

// scripts are the files beside the client.
var scripts = map[string]string{
	"small": strings.Repeat("s", 2000), "big": strings.Repeat("b", 300_000),
	"get.js": `const https = require("https"), agent = new https.Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false });
let n = +process.argv[2]; const post = process.argv[3];
const next = () => { if (n-- <= 0) return agent.destroy();
  const q = https.request({ host: "server", path: n % 7 ? "/small" : "/large", method: post ? "POST" : "GET", agent, rejectUnauthorized: false }, r => r.resume().on("end", () => setTimeout(next, n % 5 ? 0 : 30)));
  q.end(post ? "x".repeat(n % 3 ? 500 : 100000) : undefined); };
next();
`,
	"get2.js": `const c = require("http2").connect("https://server", { rejectUnauthorized: false });
let n = +process.argv[2];
const next = () => { if (n-- <= 0) return c.close();
  const s = c.request({ ":path": n % 7 ? "/small" : "/large" }); s.resume().on("end", () => setTimeout(next, n % 5 ? 0 : 30)); };
next();
`,
	"get.py": `import http.client, ssl, sys, time
c = http.client.HTTPSConnection("server", context=ssl._create_unverified_context())
for n in range(int(sys.argv[1])):
    if len(sys.argv) > 2:
        c.request("POST", "/small", b"x" * (100000 if n % 3 == 0 else 500))
    else:
        c.request("GET", "/large" if n % 7 == 0 else "/small", headers={"Cookie": "a" * (37 * n)})
    c.getresponse().read()
    if n % 5 == 0: time.sleep(0.03)
`,
}

// A server is a program with its files, and where in its log the client's port is.
type server struct {
	run   []string
	files map[string]string
	port  *regexp.Regexp
}

func servers(which, extra string) server {
	var page strings.Builder
	for i := range 30 {
		fmt.Fprintf(&page, "<img src=\"/small?%d\">", i)
	}
	files := map[string]string{"small": strings.Repeat("s", 2000), "large": strings.Repeat("l", 200_000), "page.html": page.String()}
	switch which {
	case "nginx":
		files["conf"] = `daemon off; pid DIR/pid; error_log DIR/error.log; user root; worker_processes 1; events {}
http { log_format port "port=$remote_port"; access_log DIR/log port; keepalive_requests 1000; client_max_body_size 10m;
client_body_temp_path DIR/b; proxy_temp_path DIR/p; fastcgi_temp_path DIR/f; uwsgi_temp_path DIR/u; scgi_temp_path DIR/s; types { text/html html; image/png png; }
server { listen 443 ssl ` + extra + `; ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate DIR/certificate; ssl_certificate_key DIR/key; root DIR; if ($request_method = PUT) { return 200 "hello"; } } }
`
		return server{run: []string{"nginx", "-e", "DIR/error.log", "-c", "DIR/conf"}, files: files, port: regexp.MustCompile(`(?m)^port=(\d+)$`)}
	case "caddy":
		protocols := "h1"
		if extra != "" {
			protocols = "h1 h2"
		}
		files["conf"] = `{
	admin off
	auto_https off
	servers {
		protocols ` + protocols + `
	}
	log {
		output file DIR/log
		format json
	}
}
:443 {
	tls DIR/certificate DIR/key
	root * DIR
	file_server
	log
}
`
		return server{run: []string{"caddy", "run", "--adapter", "caddyfile", "--config", "DIR/conf"}, files: files, port: regexp.MustCompile(`handled request.*?"remote_port":"(\d+)"`)}
	case "node", "nodeh2":
		make := `require("https").createServer(o, answer)`
		if which == "nodeh2" {
			make = `require("http2").createSecureServer(o, answer)`
		}
		files["script.js"] = `const fs = require("fs"), o = { cert: fs.readFileSync("certificate"), key: fs.readFileSync("key") };
const answer = (q, r) => { fs.appendFileSync("log", "port=" + (q.stream ? q.stream.session.socket : q.socket).remotePort + "\n");
  q.resume().on("end", () => { const p = q.url.split("?")[0];
    if (p == "/slow") { r.write("a".repeat(100)); let i = 0; const t = setInterval(() => { if (++i < 4) r.write("b".repeat(300)); else { clearInterval(t); r.end("c"); } }, 40); return; }
    if (q.method != "GET") return r.end("hello");
    if (p == "/page.html") r.setHeader("content-type", "text/html");
    r.end(fs.existsSync("." + p) ? fs.readFileSync("." + p) : "hello"); }); };
` + make + `.on("error", console.error).listen(443, "0.0.0.0");
`
		return server{run: []string{"node", "script.js"}, files: files, port: regexp.MustCompile(`(?m)^port=(\d+)$`)}
	}
	panic(which)
}

// performProgram takes captures at both hosts, and returns them with how many requests the
// server logged of each port of the client, and the keys that the client wrote.
func performProgram(t *testing.T, ctx context.Context, i int, dir string) (captures map[string]string, requests map[string]int, keys []byte) {
	p := programs[i]
	extra := ""
	if strings.HasPrefix(p.kind, "h2") {
		extra = "http2"
	}
	s := servers(p.server, extra)
	asks := strings.Fields(strings.TrimPrefix(p.ask, "for i in 1 2 3 4 5 6 7 8; do "))[0]
	for _, name := range []string{strings.TrimLeft(asks, "("), s.run[0]} {
		if _, err := exec.LookPath(name); err != nil && name != "ask" && name != "for" {
			testall.Lacks(t, "%s is not installed", name)
		}
	}
	certificate, key := testcert.PEM(testcert.SelfSigned(x509.Certificate{DNSNames: []string{"server"}}))
	s.files["certificate"], s.files["key"] = string(certificate), string(key)
	at, by := place(t, dir, fmt.Sprintf("server-%d", i), s.files), place(t, dir, fmt.Sprintf("client-%d", i), scripts)

	captures = map[string]string{}
	config := lab.Config{Network: linger.Network{Loss: p.loss}, Seed: uint64(i + 1), SampleEvery: time.Second}
	for name, side := range map[string]lab.Side{"client": lab.Client, "server": lab.Server} {
		captures[name] = filepath.Join(dir, fmt.Sprintf("program-%d-%s.pcapng", i, name))
		f, err := os.Create(captures[name])
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		config.Hosts = append(config.Hosts, lab.HostConfig{Name: name, Side: side, Delay: 10 * time.Millisecond, Capture: f})
	}
	l, err := lab.Open(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	run := func(host, dir string, env []string, args ...string) (func() error, func() string) {
		path := args[0]
		if filepath.Base(path) == path {
			if path, err = exec.LookPath(path); err != nil {
				t.Fatal(err)
			}
		}
		out, err := os.CreateTemp(dir, "out-")
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		process, err := l.Start(lab.Command{Host: host, Path: path, Args: args[1:], Dir: dir, Env: append(os.Environ(), env...), Stdout: out, Stderr: out})
		if err != nil {
			t.Fatal(err)
		}
		return func() error {
				exit, err := process.Wait()
				if err == nil && exit.Status() != 0 {
					err = fmt.Errorf("status %d", exit.Status())
				}
				return err
			}, func() string {
				b, _ := os.ReadFile(out.Name())
				return string(bytes.TrimSpace(b[:min(len(b), 2000)]))
			}
	}
	var args []string
	for _, a := range s.run {
		args = append(args, strings.ReplaceAll(a, "DIR", at))
	}
	_, serverSaid := run("server", at, []string{"HOME=" + at}, args...)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if r, err := l.Report(ctx); err == nil && r.Hosts["server"].Sockets["LISTEN"] > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not listen: %s", p.server, serverSaid())
		}
	}
	ask := []string{"sh", "-c", p.ask}
	env := []string{"HOME=" + by, "SSLKEYLOGFILE=" + filepath.Join(by, "keys")}
	if words := strings.Fields(p.ask); words[0] == "ask" {
		ask, env = []string{"/proc/self/exe"}, append(env, askVar+"="+strings.Join(words[1:], " "))
	}
	wait, said := run("client", by, env, ask...)
	ended := make(chan error, 1)
	go func() { ended <- wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("%s: %v: %s", p.ask, err, said())
		}
	case <-time.After(60 * time.Second):
		t.Errorf("%s does not end: %s", p.ask, said())
	}
	time.Sleep(200 * time.Millisecond) // the last FIN
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(filepath.Join(at, "log"))
	if err != nil {
		t.Errorf("%v: %s", err, serverSaid())
	}
	requests = map[string]int{}
	for _, m := range s.port.FindAllSubmatch(log, -1) {
		requests[string(m[1])]++
	}
	keys, _ = os.ReadFile(filepath.Join(by, "keys")) // not all write them
	return captures, requests, keys
}

// place makes a folder with files in it, in which DIR stands for the folder.
func place(t *testing.T, dir, name string, files map[string]string) string {
	t.Helper()
	own := filepath.Join(dir, name)
	if err := os.MkdirAll(own, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(own, name), []byte(strings.ReplaceAll(text, "DIR", own)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return own
}

// askVar has this program ask as Go's own client does: "VERSION N [post]".
const askVar = "LINGER_TEST_ASK"

func asked() (status int, inside bool) {
	words := strings.Fields(os.Getenv(askVar))
	if len(words) < 2 {
		return 0, false
	}
	n := 0
	fmt.Sscan(words[1], &n)
	keys, err := os.Create(os.Getenv("SSLKEYLOGFILE"))
	if err != nil {
		return 1, true
	}
	defer keys.Close()
	c := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: words[0] == "2", TLSClientConfig: &tls.Config{InsecureSkipVerify: true, KeyLogWriter: keys}}}
	for i := range n {
		var r *http.Response
		var err error
		if len(words) > 2 {
			size := 500
			if i%3 == 0 {
				size = 100_000
			}
			r, err = c.Post("https://server/small", "text/plain", strings.NewReader(strings.Repeat("x", size)))
		} else {
			path := "small"
			if i%7 == 0 {
				path = "large"
			}
			r, err = c.Get("https://server/" + path)
		}
		if err == nil {
			_, err = io.Copy(io.Discard, r.Body)
			r.Body.Close()
		}
		if err != nil {
			fmt.Println(err)
			return 1, true
		}
		if i%5 == 0 {
			time.Sleep(30 * time.Millisecond)
		}
	}
	return 0, true
}
