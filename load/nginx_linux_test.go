package load

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"linger"
	"linger/internal/testall"
	"linger/internal/testcert"
	"linger/load/plan"
	"linger/tally"
)

// nginx is a server of nginx's: in the clear, over TLS with HTTP/2, and for what it counts.
type nginx struct {
	clear, secure, status string
	log                   string
	trust                 *tls.Config
}

// startNginx starts one that serves so many bytes, on the cores that its worker_cpu_affinity is to name. It
// needs no rights.
func startNginx(t testing.TB, size int, cores string) nginx {
	testall.Needs(t, "nginx")
	dir := testall.OpenDir(t)
	certificate := testcert.SelfSigned(x509.Certificate{DNSNames: []string{"localhost"}})
	public, key := testcert.PEM(certificate)
	n := nginx{clear: testall.FreeAddress(t), secure: testall.FreeAddress(t), status: testall.FreeAddress(t), log: filepath.Join(dir, "log"),
		trust: &tls.Config{RootCAs: testcert.Roots(certificate), ServerName: "localhost"}}
	for name, content := range map[string][]byte{
		"body": bytes.Repeat([]byte("x"), size), "public": public, "key": key,
		"conf": fmt.Appendf(nil, `daemon off; worker_processes 1; worker_cpu_affinity %[5]s; pid %[1]s/pid; error_log %[1]s/error;
events { worker_connections 4096; }
http {
	client_body_temp_path %[1]s/a; proxy_temp_path %[1]s/b; fastcgi_temp_path %[1]s/c; uwsgi_temp_path %[1]s/d; scgi_temp_path %[1]s/e;
	keepalive_requests 1000000000; default_type text/plain; root %[1]s;
	server { listen %[2]s backlog=4096; access_log %[1]s/log; }
	server { listen %[3]s ssl http2 backlog=4096; access_log %[1]s/log; ssl_certificate %[1]s/public; ssl_certificate_key %[1]s/key; }
	server { listen %[4]s; access_log off; location / { stub_status; } }
}`, dir, n.clear, n.secure, n.status, cores),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	up := func() bool {
		c, err := net.DialTimeout("tcp", n.status, time.Second)
		if err == nil {
			c.Close()
		}
		return err == nil
	}
	testall.Start(t, up, nil, "nginx", "-e", filepath.Join(dir, "error"), "-p", dir, "-c", filepath.Join(dir, "conf"))
	return n
}

// counts are what nginx has counted: connections accepted, requests read, lines logged.
func (n nginx) counts(t testing.TB) (accepted, requests, lines int64) {
	t.Helper()
	once := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := once.Get("http://" + n.status)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	var active, handled int64
	if _, err := fmt.Sscanf(string(text), "Active connections: %d \nserver accepts handled requests\n %d %d %d", &active, &accepted, &handled, &requests); err != nil {
		t.Fatalf("%v: %q", err, text)
	}
	log, err := os.ReadFile(n.log)
	if err != nil {
		t.Fatal(err)
	}
	return accepted, requests, int64(bytes.Count(log, []byte("\n")))
}

func TestCountsAreNginxs(t *testing.T) {
	n := startNginx(t, 1024, "auto")
	for _, test := range []struct {
		strategy string
		secure   bool
		closing  tally.Closing
		plan     plan.Plan
		life     plan.Life
	}{
		{strategy: "keep", plan: plan.Plan{Requests: 3000}},
		{strategy: "keep", plan: plan.Plan{Time: 300 * time.Millisecond}},
		{strategy: "keep+1.0", plan: plan.Plan{Requests: 1000}},
		{strategy: "keep", plan: plan.Plan{Stages: []plan.Stage{{From: 500, To: 1500, Time: 500 * time.Millisecond}}}},
		{strategy: "close", plan: plan.Plan{Requests: 1000}},
		{strategy: "close", plan: plan.Plan{Time: 300 * time.Millisecond}},
		{strategy: "close", plan: plan.Plan{Requests: 1000}, closing: tally.CloseRST},
		{strategy: "close", plan: plan.Plan{Requests: 1000}, closing: tally.CloseAgain},
		{strategy: "close", plan: plan.Plan{Requests: 1000}, closing: tally.CloseAgainRST},
		{strategy: "pipeline", plan: plan.Plan{Requests: 1000}},
		{strategy: "keep", plan: plan.Plan{Requests: 1000}, life: plan.Life{Requests: plan.Range{Least: 5, Most: 15}}},
		{strategy: "keep", secure: true, plan: plan.Plan{Requests: 1000}},
		{strategy: "close", secure: true, plan: plan.Plan{Requests: 300}},
		{strategy: "close+resume", secure: true, plan: plan.Plan{Requests: 300}},
		{strategy: "h2", secure: true, plan: plan.Plan{Requests: 1000}},
	} {
		t.Run(test.strategy+" "+string(test.closing), func(t *testing.T) {
			s, err := linger.ParseStrategy(test.strategy)
			if err != nil {
				t.Fatal(err)
			}
			c := Config{Strategy: s, Connections: 8, Plan: test.plan, Life: test.life, Closing: test.closing, Workers: 2, TLS: n.trust,
				Targets: []Target{{Scheme: linger.SchemeHTTP, Address: n.clear, Host: n.clear, Path: "/body"}}}
			if test.secure {
				c.Targets[0].Scheme, c.Targets[0].Address = linger.SchemeHTTPS, n.secure
			}
			accepted, requests, lines := n.counts(t)
			r := run(t, c)
			if r.Requests.Answered != r.Requests.Sent || r.Requests.Statuses[200] != r.Requests.Answered {
				t.Errorf("%+v", r.Requests)
			}
			// What was answered is logged within a moment.
			var a, q, l int64
			for range 100 {
				a, q, l = n.counts(t)
				accepted, requests = accepted+1, requests+1 // those who ask
				if a-accepted == r.Connections.Established && q-requests == r.Requests.Sent && l-lines == r.Requests.Sent {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
			t.Errorf("%d connections, %d requests; nginx accepted %d, read %d, logged %d", r.Connections.Established, r.Requests.Sent, a-accepted, q-requests, l-lines)
		})
	}
}
