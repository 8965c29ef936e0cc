package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"linger/internal/testall"
	"linger/tune"
)

// A replayed is a server that one plan of requests is sent to, with the settings of a
// connection that it has.
type replayed struct {
	name       string
	idle       time.Duration // 0 keeps none
	limit      int
	clientIdle time.Duration
	log        string
	format     string
	port       string
}

const replayFormat = `$remote_addr $remote_port $msec "$request" $status $connection $connection_requests $request_time`

// TestTuneAsServersDo predicts the reuse that nginx, Apache and HAProxy with some settings will have, from
// the log of an nginx that keeps no connection, and holds it against their own logs of the
// same requests.
func TestTuneAsServersDo(t *testing.T) {
	testall.Long(t, "a minute of requests to ten servers")
	for _, p := range []string{"nginx", "apache2", "haproxy"} {
		if _, err := exec.LookPath(p); err != nil {
			skip(t, "%s is not installed", p)
		}
	}
	dir := testall.OpenDir(t)
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		took, _ := time.ParseDuration(r.URL.Query().Get("took"))
		time.Sleep(took)
		io.WriteString(w, "here")
	}))
	defer backend.Close()
	servers := []*replayed{{name: "nginx, none kept"}}
	for _, idle := range []time.Duration{1, 2, 5} {
		for _, limit := range []int{5, 1000} {
			servers = append(servers, &replayed{name: "nginx", idle: idle * time.Second, limit: limit})
		}
	}
	servers = append(servers,
		&replayed{name: "nginx, clients of 1 s", idle: 5 * time.Second, limit: 1000, clientIdle: time.Second},
		&replayed{name: "Apache", idle: 2 * time.Second, limit: 1000},
		&replayed{name: "HAProxy", idle: 2 * time.Second, limit: 0})
	startReplayed(t, dir, strings.TrimPrefix(backend.URL, "http://"), servers)
	send(t, servers, planned())
	time.Sleep(500 * time.Millisecond) // what is written last

	reference := servers[0]
	for _, s := range servers[1:] {
		args := []string{"--log-format", reference.format, "--idle-timeout", s.idle.String(), reference.log,
			"--client-idle", cmp.Or(s.clientIdle, time.Hour).String()}
		if s.limit > 0 {
			args = append(args, "--max-requests", fmt.Sprint(s.limit))
		}
		predicted := tuned(t, args...)
		own := tuned(t, append([]string{s.log}, formatFlag(s)...)...)
		if own.Observed == nil {
			t.Fatalf("%s: its log does not tell connections apart", s.name)
		}
		want := predicted.Today.Reuse.Mid()
		if s.limit > 0 && s.clientIdle == 0 {
			want = math.NaN()
			for _, r := range predicted.Runs {
				if r.Timeout == s.idle.Seconds() && int(r.Limit) == s.limit {
					want = r.Reuse
				}
			}
		}
		t.Logf("%s, %v, %d requests: predicted %.4f, its own log %.4f of %d", s.name, s.idle, s.limit, want, own.Observed.Reuse, own.Requests)
		if !(math.Abs(want-own.Observed.Reuse) <= 0.02) {
			t.Errorf("%s, %v, %d requests: predicted %.4f, its own log has %.4f", s.name, s.idle, s.limit, want, own.Observed.Reuse)
		}
	}
}

func formatFlag(s *replayed) []string {
	if s.format == "" {
		return nil
	}
	return []string{"--log-format", s.format}
}

// tuned runs the verb, and returns what it found.
func tuned(t *testing.T, args ...string) tune.Result {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := dispatch(context.Background(), append([]string{"tune", "--json"}, args...), streamsOf(nil, out, os.Stderr, os.Getenv)); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	var r tune.Result
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return r
}

// startReplayed starts the servers before a backend, each on a port of its own.
func startReplayed(t *testing.T, dir, backend string, servers []*replayed) {
	t.Helper()
	var blocks strings.Builder
	for i, s := range servers {
		_, s.port, _ = net.SplitHostPort(testall.FreeAddress(t))
		s.log = filepath.Join(dir, fmt.Sprintf("%d.log", i))
		switch s.name {
		case "Apache":
			s.format = `LogFormat "%h %{remote}p %{usec}t \"%r\" %>s %B %D %k"`
			startServer(t, dir, "apache2", "apache.conf", `ServerRoot `+dir+`
ServerName 127.0.0.1
PidFile `+dir+`/apache.pid
ErrorLog `+dir+`/apache.error
DefaultRuntimeDir `+dir+`
Listen 127.0.0.1:`+s.port+`
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
User www-data
Group www-data
KeepAliveTimeout 2
MaxKeepAliveRequests 1000
`+s.format+` full
CustomLog `+s.log+` full
ProxyPass / http://`+backend+`/
`, "-X", "-f", filepath.Join(dir, "apache.conf"))
		case "HAProxy":
			startServer(t, dir, "haproxy", "haproxy.conf", `global
	log stdout format raw local0
defaults
	mode http
	log global
	option httplog
	timeout connect 5s
	timeout client 30s
	timeout server 30s
	timeout http-keep-alive 2s
frontend f
	bind 127.0.0.1:`+s.port+`
	default_backend b
backend b
	server s `+backend+`
`, "-f", filepath.Join(dir, "haproxy.conf"))
			s.log = filepath.Join(dir, "haproxy.conf.out")
		default:
			s.format = `log_format full '` + replayFormat + `';`
			fmt.Fprintf(&blocks, "server { listen 127.0.0.1:%s backlog=4096; access_log %s full; keepalive_timeout %ds; keepalive_requests %d; location / { proxy_pass http://%s; proxy_http_version 1.1; proxy_set_header Connection \"\"; } }\n",
				s.port, s.log, int(s.idle.Seconds()), max(1, s.limit), backend)
		}
	}
	startServer(t, dir, "nginx", "nginx.conf", `daemon off; pid `+dir+`/nginx.pid; events { worker_connections 8192; }
http { log_format full '`+replayFormat+`'; client_body_temp_path `+dir+`; proxy_temp_path `+dir+`; fastcgi_temp_path `+dir+`; uwsgi_temp_path `+dir+`; scgi_temp_path `+dir+`;
`+blocks.String()+"}", "-c", filepath.Join(dir, "nginx.conf"), "-e", filepath.Join(dir, "nginx.error"))
	for _, s := range servers {
		for range 200 {
			if c, err := net.Dial("tcp", "127.0.0.1:"+s.port); err == nil {
				c.Close()
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
}

func startServer(t *testing.T, dir, program, conf, text string, args ...string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, conf), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(filepath.Join(dir, conf+".out"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		kill := time.AfterFunc(10*time.Second, func() { cmd.Process.Kill() })
		cmd.Wait()
		kill.Stop()
		out.Close()
	})
}

// A wish is one request of a plan.
type wish struct {
	client int
	after  time.Duration
	took   time.Duration
}

// planned are the requests of 30 clients within 40 s: single ones, and some at once.
func planned() []wish {
	luck := rand.New(rand.NewPCG(7, 8))
	var all []wish
	for client := range 30 {
		for at := luck.Float64() * 3; at < 40; at += luck.ExpFloat64() * []float64{0.4, 1.5, 4}[client%3] {
			for range 1 + luck.IntN(4)/3*luck.IntN(3) {
				all = append(all, wish{client, time.Duration(at * float64(time.Second)), time.Duration(20+luck.IntN(180)) * time.Millisecond})
			}
		}
	}
	return all
}

// send sends the plan to all servers, from an address for each client, with pools that keep
// what the servers keep.
func send(t *testing.T, servers []*replayed, plan []wish) {
	t.Helper()
	began := time.Now()
	var wait sync.WaitGroup
	for _, s := range servers {
		clients := map[int]*http.Client{}
		for _, w := range plan {
			c := clients[w.client]
			if c == nil {
				dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(w.client+1))}}
				pool := &http.Transport{DialContext: dialer.DialContext, MaxIdleConnsPerHost: 1000, IdleConnTimeout: s.clientIdle}
				t.Cleanup(pool.CloseIdleConnections)
				c = &http.Client{Transport: pool}
				clients[w.client] = c
			}
			wait.Go(func() {
				time.Sleep(time.Until(began.Add(w.after)))
				r, err := c.Get(fmt.Sprintf("http://127.0.0.1:%s/?took=%v", s.port, w.took))
				if err != nil {
					t.Errorf("%s: %v", s.name, err)
					return
				}
				io.Copy(io.Discard, r.Body)
				r.Body.Close()
			})
		}
	}
	wait.Wait()
}
