package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"linger"
	"linger/internal/testall"
	"linger/lab"
	"linger/service"
)

func init() { roles["plan"], roles["took"] = planMain, tookMain }

// A replayed is one setting of a server on a host of the lab, to which one plan of requests is
// sent.
type replayed struct {
	Name       string // "nginx", "apache", "haproxy": the host, too
	Idle       time.Duration
	Limit      int // 0 is none
	ClientIdle time.Duration
	Log        string
	Port       int
}

const (
	replayFormat = `$remote_addr $remote_port $msec "$request" $status $connection $connection_requests $request_time`
	apacheFormat = `%h %{remote}p %{usec}t \"%r\" %>s %B %D %k`
	// replayedFor is how long the plan is; gaps of 20 s have to occur often in it.
	replayedFor = 100 * time.Second
	// letGo is for how long those clients keep a connection that let go by themselves.
	letGo = 15 * time.Second
)

// replayedSettings are three timeouts and two limits, which the clients' own exceed; and one timeout
// that exceeds the clients' own. HAProxy has no limit on requests.
func replayedSettings(dir string) (all []*replayed) {
	add := func(r replayed) {
		r.Port = 8001 + len(all)
		r.Log = filepath.Join(dir, fmt.Sprintf("%d.log", len(all)))
		if r.Name == "haproxy" {
			r.Log = filepath.Join(dir, fmt.Sprintf("haproxy-%d.log", r.Port))
		}
		all = append(all, &r)
	}
	add(replayed{Name: "nginx"}) // it keeps none
	for _, name := range []string{"nginx", "apache", "haproxy"} {
		limits := []int{5, 1000}
		if name == "haproxy" {
			limits = []int{0}
		}
		for _, idle := range []time.Duration{2 * time.Second, 5 * time.Second, 20 * time.Second} {
			for _, limit := range limits {
				add(replayed{Name: name, Idle: idle, Limit: limit})
			}
		}
		add(replayed{Name: name, Idle: 40 * time.Second, Limit: limits[len(limits)-1], ClientIdle: letGo})
	}
	return all
}

// TestTuneAsServersDo predicts the reuse that nginx, Apache and HAProxy with some settings will
// have, from the log of an nginx that keeps no connection, and holds it against their own logs
// of the same requests. All are on hosts of a lab, with a round trip of 20 ms to the clients.
func TestTuneAsServersDo(t *testing.T) {
	testall.Long(t, "two minutes of requests to three servers")
	needLab(t)
	for _, p := range []string{"nginx", "apache2", "haproxy"} {
		if testall.Located(p) == "" {
			skip(t, "%s is not installed", p)
		}
	}
	dir := testall.OpenDir(t)
	servers := replayedSettings(dir)
	l, err := lab.Open(t.Context(), lab.Config{
		Network: linger.Network{RTT: 20 * time.Millisecond},
		Hosts: []lab.HostConfig{{Name: "clients", Addresses: replayedClients},
			{Name: "nginx", Side: lab.Server, Processes: true}, {Name: "apache", Side: lab.Server, Processes: true}, {Name: "haproxy", Side: lab.Server, Processes: true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, command := range replayedPrograms(t, dir, servers) {
		port := 0
		for _, s := range servers {
			if s.Name == name {
				port = s.Port
			}
		}
		command = fmt.Sprintf("'%s' took & %s", self, command)
		s, err := service.Start(t.Context(), l, service.Config{Command: command, Host: name, Port: uint16(port)})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		defer s.Stop()
	}
	sendPlan(t, l, self, dir, servers)
	time.Sleep(500 * time.Millisecond) // what is written last
	splitHAProxy(t, dir, servers)
	for _, s := range servers[1:] {
		holdReplayed(t, servers[0], s)
	}
}

// holdReplayed holds what is predicted from the log of reference against what s has logged.
func holdReplayed(t *testing.T, reference, s *replayed) {
	t.Helper()
	predict := func(clientIdle time.Duration) float64 {
		args := []string{"--log-format", reference.format(), "--idle-timeout", s.Idle.String(), reference.Log, "--client-idle", clientIdle.String()}
		limit := s.Limit
		if s.Name == "apache" { // which carries one more than MaxKeepAliveRequests
			limit++
		}
		if s.Limit == 0 || clientIdle < s.Idle {
			return tuned(t, args...).Today.Reuse.Mid()
		}
		for _, r := range tuned(t, append(args, "--max-requests", fmt.Sprint(limit))...).Runs {
			if r.Timeout == s.Idle.Seconds() && int(r.Limit) == limit {
				return r.Reuse
			}
		}
		return math.NaN()
	}
	want := predict(cmp.Or(s.ClientIdle, time.Hour))
	args := []string{s.Log}
	if f := s.format(); f != "" {
		args = append(args, "--log-format", f)
	}
	own := tuned(t, args...)
	if own.Observed == nil {
		t.Fatalf("%s: its log does not tell connections apart", s.Name)
	}
	t.Logf("%s, %v, %d requests, clients of %v: predicted %.4f, its own log %.4f of %d", s.Name, s.Idle, s.Limit, s.ClientIdle, want, own.Observed.Reuse, own.Requests)
	if !(math.Abs(want-own.Observed.Reuse) <= 0.02) {
		t.Errorf("%s, %v, %d requests, clients of %v: predicted %.4f, its own log has %.4f", s.Name, s.Idle, s.Limit, s.ClientIdle, want, own.Observed.Reuse)
	}
	if s.ClientIdle > 0 {
		if above := predict(time.Hour); above < own.Observed.Reuse+0.02 {
			t.Errorf("%s: without the clients' %v, %.4f is predicted: the ceiling of %.4f does not show", s.Name, s.ClientIdle, above, own.Observed.Reuse)
		}
	}
}

func (s *replayed) format() string {
	switch s.Name {
	case "nginx":
		return replayFormat
	case "apache":
		return apacheFormat
	}
	return ""
}

// replayedPrograms are the commands that start the servers, each with all its settings.
func replayedPrograms(t *testing.T, dir string, servers []*replayed) map[string]string {
	t.Helper()
	var nginx, apache, haproxy strings.Builder
	for _, s := range servers {
		idle := int(s.Idle.Seconds())
		switch s.Name {
		case "nginx":
			fmt.Fprintf(&nginx, "server { listen %d backlog=4096; access_log %s full; keepalive_timeout %ds; keepalive_requests %d; location / { proxy_pass http://%s; proxy_http_version 1.1; proxy_set_header Connection \"\"; } }\n",
				s.Port, s.Log, idle, max(1, s.Limit), tookAt)
		case "apache":
			fmt.Fprintf(&apache, "Listen %d\n<VirtualHost *:%d>\nKeepAliveTimeout %d\nMaxKeepAliveRequests %d\nCustomLog %s full\nProxyPass / http://%s/\n</VirtualHost>\n", s.Port, s.Port, idle, s.Limit, s.Log, tookAt)
		case "haproxy":
			fmt.Fprintf(&haproxy, "frontend f%d\n bind :%d\n timeout http-keep-alive %ds\n default_backend b\n", s.Port, s.Port, idle)
		}
	}
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	nginxConf := write("nginx.conf", `daemon off; pid `+dir+`/nginx.pid; events { worker_connections 8192; }
http { log_format full '`+replayFormat+`'; client_body_temp_path `+dir+`; proxy_temp_path `+dir+`; fastcgi_temp_path `+dir+`; uwsgi_temp_path `+dir+`; scgi_temp_path `+dir+`;
`+nginx.String()+"}")
	apacheConf := write("apache.conf", `ServerRoot `+dir+`
ServerName apache
PidFile `+dir+`/apache.pid
ErrorLog `+dir+`/apache.error
DefaultRuntimeDir `+dir+`
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
User www-data
Group www-data
LogFormat "`+apacheFormat+`" full
`+apache.String())
	haproxyConf := write("haproxy.conf", `global
	log stdout format raw local0
defaults
	mode http
	log global
	option httplog
	timeout connect 5s
	timeout client 60s
	timeout server 60s
backend b
	server s `+tookAt+`
`+haproxy.String())
	return map[string]string{
		"nginx":   fmt.Sprintf("exec '%s' -c %s -e %s/nginx.error", testall.Located("nginx"), nginxConf, dir),
		"apache":  fmt.Sprintf("exec '%s' -f %s -DFOREGROUND", testall.Located("apache2"), apacheConf),
		"haproxy": fmt.Sprintf("exec '%s' -db -f %s > %s/haproxy.out", testall.Located("haproxy"), haproxyConf, dir),
	}
}

// splitHAProxy parts what HAProxy has written by its frontends, which are its settings.
func splitHAProxy(t *testing.T, dir string, servers []*replayed) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "haproxy.out"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range servers {
		if s.Name != "haproxy" {
			continue
		}
		var own []string
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, fmt.Sprintf(" f%d ", s.Port)) {
				own = append(own, line)
			}
		}
		if err := os.WriteFile(s.Log, []byte(strings.Join(own, "")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// A wish is one request of a plan.
type wish struct {
	Client int
	After  time.Duration
	Took   time.Duration
}

const replayedClients = 30

// planned are the requests of some clients: single ones, and some at once.
func planned() []wish {
	luck := rand.New(rand.NewPCG(7, 8))
	var all []wish
	for client := range replayedClients {
		for at := luck.Float64() * 3; at < replayedFor.Seconds(); at += luck.ExpFloat64() * []float64{1.5, 5, 14}[client%3] {
			for range 1 + luck.IntN(4)/3*luck.IntN(3) {
				all = append(all, wish{client, time.Duration(at * float64(time.Second)), time.Duration(20+luck.IntN(180)) * time.Millisecond})
			}
		}
	}
	return all
}

// A planOrder is what the process on the clients' host is to do.
type planOrder struct {
	Servers []*replayed
	Hosts   map[string]netip.Addr
	Clients []netip.Addr
	Plan    []wish
}

// sendPlan has a process on the clients' host send the plan to all servers.
func sendPlan(t *testing.T, l *lab.Lab, self, dir string, servers []*replayed) {
	t.Helper()
	order := planOrder{Servers: servers, Clients: l.Addrs("clients"), Plan: planned(), Hosts: map[string]netip.Addr{}}
	for _, s := range servers {
		order.Hosts[s.Name] = l.Addr(s.Name)
	}
	text, err := json.Marshal(order)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "plan.json")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(filepath.Join(dir, "plan.out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	p, err := l.Start(lab.Command{Host: "clients", Path: self, Args: []string{"plan", path}, Stdout: out, Stderr: out})
	if err != nil {
		t.Fatal(err)
	}
	if exit, err := p.Wait(); err != nil || exit.Status() != 0 {
		said, _ := os.ReadFile(out.Name())
		t.Fatalf("the clients: %v, status %d: %.2000s", err, exit.Status(), said)
	}
}

// planMain sends a plan to all servers, from an address for each client, with pools that keep
// what the servers keep.
func planMain(args []string) int {
	var order planOrder
	text, err := os.ReadFile(args[0])
	if err == nil {
		err = json.Unmarshal(text, &order)
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	began := time.Now()
	var wait sync.WaitGroup
	failed := make(chan error, 1)
	for _, s := range order.Servers {
		clients := map[int]*http.Client{}
		for _, w := range order.Plan {
			c := clients[w.Client]
			if c == nil {
				dialer := &net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(order.Clients[w.Client], 0))}
				c = &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext, MaxIdleConnsPerHost: 1000, IdleConnTimeout: s.ClientIdle}}
				clients[w.Client] = c
			}
			wait.Go(func() {
				time.Sleep(time.Until(began.Add(w.After)))
				r, err := c.Get(fmt.Sprintf("http://%s:%d/?took=%v", order.Hosts[s.Name], s.Port, w.Took))
				if err != nil {
					select {
					case failed <- fmt.Errorf("%s: %w", s.Name, err):
					default:
					}
					return
				}
				io.Copy(io.Discard, r.Body)
				r.Body.Close()
			})
		}
	}
	wait.Wait()
	select {
	case err := <-failed:
		fmt.Println(err)
		return 1
	default:
		return 0
	}
}

// tookAt is where the server behind the servers is, on each of their hosts.
const tookAt = "127.0.0.1:9000"

// tookMain answers after as long as it is asked to.
func tookMain([]string) int {
	fmt.Println(http.ListenAndServe(tookAt, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		took, _ := time.ParseDuration(r.URL.Query().Get("took"))
		time.Sleep(took)
		io.WriteString(w, "here")
	})))
	return 1
}
