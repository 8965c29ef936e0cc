package main

import (
	"bytes"
	"crypto/x509"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"linger/compare/capacity"
	"linger/internal/testall"
	"linger/internal/testcert"
)

// loaded reads a document of linger bench.
func loaded(t *testing.T, name string) *capacity.Result {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := capacity.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Interrupted, a load ends at once, and what was measured is written.
func TestInterruptedBenchKeepsWhatWasMeasured(t *testing.T) {
	var served atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served.Add(1) }))
	defer server.Close()
	name := filepath.Join(t.TempDir(), "x.json")
	cmd := exec.Command("linger", "bench", server.URL, "-z", "10m", "-c", "2", "--warm-up", "0s", "-o", name)
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	for range 3000 {
		if served.Load() >= 100 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != exitInterrupted {
		t.Fatalf("%v", err)
	}
	r := loaded(t, name)
	q := r.Rows[0].Requests
	if !r.Stopped() || q.Answered < 90 || q.Answered+q.Cut < served.Load() || q.Answered > served.Load() || !strings.Contains(out.String(), "It was stopped before its end") {
		t.Errorf("%+v; the server answered %d\n%s", q, served.Load(), out.String())
	}
}

// What cannot go on ends with a status and says why: answers that never come, no HTTP.
func TestBenchOfServersThatDoNotServe(t *testing.T) {
	for _, test := range []struct {
		name   string
		serve  func(net.Conn)
		status int
		said   string
	}{
		{"one that never answers", func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }, exitUnreachable, "no answer came in time"},
		{"one that speaks another language", func(c net.Conn) {
			_, _ = c.Write([]byte("SSH-2.0-OpenSSH_9.2\r\n"))
			_, _ = io.Copy(io.Discard, c)
		}, exitAssertion, "what came was no HTTP"},
		{"one that closes amid answers", func(c net.Conn) {
			_, _ = c.Read(make([]byte, 1000))
			_, _ = c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"))
		}, exitUnreachable, "the server closed before an answer was whole"},
	} {
		address := testall.Accept(t, test.serve)
		said, _, status := command(t, "bench", "http://"+address, "-n", "8", "-c", "2", "--timeout", "300ms")
		if status != test.status || !strings.Contains(strings.Join(strings.Fields(said), " "), test.said) {
			t.Errorf("%s: status %d\n%s", test.name, status, said)
		}
	}
}

// TestBenchCountsAreServers holds what is counted, connections and requests, against what servers
// that others wrote count: nginx's stub_status and log, HAProxy's statistics.
func TestBenchCountsAreServers(t *testing.T) {
	testall.Long(t, "10 s")
	nginx, haproxy := program(t, "nginx", "nginx-light"), program(t, "haproxy", "haproxy")
	dir := testall.OpenDir(t)
	name := func(s string) string { return filepath.Join(dir, s) }
	certificate := testcert.SelfSigned(x509.Certificate{DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	public, key := testcert.PEM(certificate)
	secure, status, front, stats := testall.FreeAddress(t), testall.FreeAddress(t), testall.FreeAddress(t), testall.FreeAddress(t)
	for file, content := range map[string]string{
		"index.html": strings.Repeat("x", 1024), "public": string(public), "key": string(key), "both": string(public) + string(key),
		"nginx.conf": fmt.Sprintf(`daemon off; worker_processes 1; pid %[1]s/pid; error_log %[1]s/error;
events { worker_connections 1024; }
http {
	client_body_temp_path %[1]s/a; proxy_temp_path %[1]s/b; fastcgi_temp_path %[1]s/c; uwsgi_temp_path %[1]s/d; scgi_temp_path %[1]s/e;
	root %[1]s;
	server { listen %[2]s ssl http2; access_log %[1]s/log; ssl_certificate %[1]s/public; ssl_certificate_key %[1]s/key; }
	server { listen %[3]s; access_log off; location / { stub_status; } }
}`, dir, secure, status),
		"haproxy.cfg": fmt.Sprintf(`defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend site
  bind %s ssl crt %s alpn h2,http/1.1
  http-request return status 200 content-type text/plain string x
frontend told
  bind %s
  stats enable
  stats uri /
`, front, name("both"), stats),
	} {
		if err := os.WriteFile(name(file), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	up := func(address string) func() bool {
		return func() bool {
			c, err := net.DialTimeout("tcp", address, time.Second)
			if err == nil {
				c.Close()
			}
			return err == nil
		}
	}
	testall.Start(t, up(status), nil, nginx, "-e", name("error"), "-p", dir, "-c", name("nginx.conf"))
	testall.Start(t, up(stats), nil, haproxy, "-db", "-f", name("haproxy.cfg"))
	get := func(address string) string {
		once := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		answer, err := once.Get("http://" + address)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		b, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	// Each look at nginx's counts is one connection and one request of its own.
	ofNginx := func() (accepted, requests int64) {
		var handled, active int64
		if _, err := fmt.Sscanf(get(status), "Active connections: %d \nserver accepts handled requests\n %d %d %d", &active, &accepted, &handled, &requests); err != nil {
			t.Fatal(err)
		}
		return accepted, requests
	}
	ofHAProxy := func() (accepted, requests int64) {
		lines, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(get(stats+"/;csv"), "# "))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range lines[1:] {
			for i, head := range lines[0] {
				if line[0] == "site" && line[1] == "FRONTEND" && (head == "conn_tot" || head == "req_tot") {
					to := map[string]*int64{"conn_tot": &accepted, "req_tot": &requests}[head]
					fmt.Sscan(line[i], to)
				}
			}
		}
		return accepted, requests
	}
	for _, server := range []struct {
		name, at string
		counts   func() (accepted, requests int64)
		own      int64
	}{{"nginx", secure, ofNginx, 1}, {"HAProxy", front, ofHAProxy, 0}} {
		for _, strategy := range []string{"close", "keep", "h2", "close,keep,h2"} {
			before, beforeRequests := server.counts()
			file := filepath.Join(t.TempDir(), "x.json")
			said, errs, status := command(t, "bench", "https://"+server.at, "-k", "-s", strategy, "-n", "300", "-c", "4", "--turns", "2", "-o", file)
			if status != exitDone {
				t.Fatalf("%s, %s: status %d\n%s%s", server.name, strategy, status, said, errs)
			}
			accepted, requests := server.counts()
			accepted, requests = accepted-before-server.own, requests-beforeRequests-server.own
			var opened, sent int64
			for _, row := range loaded(t, file).Rows {
				opened += row.Connections.Established
				sent += row.Requests.Sent + row.Requests.Retried
			}
			t.Logf("%s, %s: %d connections, %d requests", server.name, strategy, opened, sent)
			if opened != accepted || sent != requests || sent < 300 {
				t.Errorf("%s, %s: %d connections and %d requests; the server says %d and %d", server.name, strategy, opened, sent, accepted, requests)
			}
		}
	}
	log, err := os.ReadFile(name("log"))
	if n := bytes.Count(log, []byte("\n")); err != nil || n != 6*300 {
		t.Errorf("nginx logged %d requests, %v", n, err)
	}
}
