package played

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"linger/policy"
)

const ms = time.Millisecond

// Causes, as the documents name them.
const (
	first       = "first"
	concurrency = "concurrency"
	idleUnused  = "idle-unused"
	cSays       = "client-says-close"
	cAtOnce     = "client-closes-at-once"
	cFull       = "client-pool-full"
	cAborts     = "client-aborts"
	cIdle       = "client-idle"
	sSays       = "server-says-close"
	sAtOnce     = "server-closes-at-once"
	sIdle       = "server-idle"
	limit       = "request-limit"
	maxAge      = "max-age"
	restart     = "restart"
	race        = "race"
	stale       = "stale-reuse"
	dropped     = "silent-drop"
	failure     = "error"
	otherAddr   = "other-address"
	identity    = "identity"
	separate    = "not-coalesced"
	noExchange  = "no-exchange"
	undecided   = "unknown"
)

// direct is the truth of one client with one server.
func direct(exchanges int, opened ...string) truth {
	return truth{opened: map[hop][]string{"client>server": opened}, exchanges: map[hop]int{"client>server": exchanges}}
}

func (t truth) withIdle(d time.Duration) truth       { t.idle = d; return t }
func (t truth) orIdle(d time.Duration) truth         { t.idleOr = d; return t }
func (t truth) withClientIdle(d time.Duration) truth { t.idleClient = d; return t }
func (t truth) withAge(d time.Duration) truth        { t.age = d; return t }
func (t truth) unresumed(n int) truth                { t.unused = n; return t }
func (t truth) refusing(n int) truth                 { t.refused = n; return t }
func (t truth) losing(n int) truth                   { t.lost = n; return t }
func (t truth) withRequests(n int) truth             { t.requests = n; return t }

func and(t, u truth) truth {
	for h, o := range u.opened {
		t.opened[h] = o
	}
	for h, n := range u.exchanges {
		t.exchanges[h] = n
	}
	return t
}

func on(h hop, exchanges int, opened ...string) truth {
	return truth{opened: map[hop][]string{h: opened}, exchanges: map[hop]int{h: exchanges}}
}

// times repeats a cause.
func times(n int, cause string) []string {
	return strings.Split(strings.Repeat(cause+" ", n-1)+cause, " ")
}

func after(cause string, n int, then string) []string {
	return append([]string{cause}, times(n, then)...)
}

// Parts that are needed again and again.

func serving(play func(*player)) part { return part{on: "server", play: play, listens: 1} }

// keeping is a server that never closes, plainOrigin the product's own, and misbehaving that
// with a breach.
func keeping(on string) part { return part{on: on, play: always, listens: 1} }

func plainOrigin(on string) part {
	return part{on: on, play: anOrigin(policy.ServerPolicy{}, ""), listens: 1}
}

// idling closes a connection that has been idle for so long, which it does not announce, and
// aging one with the first answer after so long, in which it says so.
func idling(limit time.Duration) part {
	return serving(func(p *player) {
		p.serve(func(_ int, w *wire) { w.keep(limit) })
	})
}

func aging(most time.Duration) part {
	return serving(func(p *player) {
		p.serve(func(_ int, w *wire) {
			for began := time.Now(); ; {
				path, ok := w.next(patience)
				if !ok {
					return
				}
				if time.Since(began) > most {
					w.answer(path, "Connection: close")
					return
				}
				w.answer(path)
			}
		})
	})
}

func misbehaving(how string) part { return serving(anOrigin(policy.ServerPolicy{}, how)) }

func client(play func(*player)) part { return part{on: "client", play: play} }

// python runs a script on the client.
func python(lines ...string) part {
	return part{on: "client", run: []string{"python3", "DIR/script.py"}, files: map[string]string{"script.py": strings.Join(lines, "\n") + "\n"}}
}

func node(on string, listens int, lines ...string) part {
	return part{on: on, listens: listens, run: []string{"node", "DIR/script.js"}, files: map[string]string{"script.js": strings.Join(lines, "\n") + "\n"}}
}

func curl(line string) part {
	return part{on: "client", run: []string{"sh", "-c", line}}
}

func needs(program string, p part) part {
	p.needs = program
	return p
}

// nginx is one on a host; inner stands in its server, outer beside it.
func nginx(on, outer, inner string) part {
	return part{on: on, listens: 1, run: []string{"nginx", "-e", "DIR/error.log", "-c", "DIR/conf"}, files: map[string]string{
		"conf": `daemon off;
pid DIR/pid;
error_log DIR/error.log;
user root;
worker_processes 1;
events {}
http {
	access_log off;
	client_body_temp_path DIR/b; proxy_temp_path DIR/p; fastcgi_temp_path DIR/f; uwsgi_temp_path DIR/u; scgi_temp_path DIR/s;
	` + outer + `
	server { listen 80; ` + inner + ` }
}
`,
		"page": strings.Repeat("x", 500),
		"slow": strings.Repeat("x", 5000),
	}}
}

// haproxy is one on a host; lines are those of its proxies.
func haproxy(on string, defaults, lines string) part {
	return part{on: on, listens: 1, run: []string{"haproxy", "-db", "-f", "DIR/conf"}, files: map[string]string{
		"conf": `global
	nbthread 1
defaults
	mode http
	timeout connect 5s
	timeout client 30s
	timeout server 30s
` + defaults + `
frontend f
	bind :80
` + lines + "\n"}}
}

// pauses waits between connections, or requests.
func pausing(d time.Duration) func(*player, *wire) {
	return func(p *player, w *wire) { p.wait(d) }
}

// closing closes, and goes on a little later.
func closing(p *player, w *wire) {
	w.close()
	p.wait(100 * ms)
}

// ask sends requests on one connection with pauses before them, and opens another where
// the server has closed by then.
func ask(pauses ...time.Duration) func(*player) { return askFor("/bytes/500", pauses...) }

func askFor(path string, pauses ...time.Duration) func(*player) {
	return func(p *player) {
		var w *wire
		for _, d := range pauses {
			p.wait(d)
			if w != nil && w.closed() {
				w.close()
				w = nil
			}
			if w == nil {
				w = p.dial("server")
			}
			w.get(path)
		}
	}
}

// rejected has so many connections end with a request that is not answered, after a
// pause; without one there is no request before. The last is answered.
func rejected(n int, pause time.Duration) func(*player) {
	return func(p *player) {
		for range n {
			w := p.dial("server")
			if pause > 0 {
				w.get("/bytes/500")
				p.wait(pause)
			}
			w.fails("/bytes/500")
			w.close()
			p.wait(50 * ms)
		}
		p.dial("server").get("/bytes/500")
	}
}

// unanswered is as rejected where nothing comes at all, for as long as the client waits.
func unanswered(n int, pause, patience time.Duration) func(*player) {
	return func(p *player) {
		for range n {
			w := p.dial("server")
			w.get("/bytes/500")
			p.wait(pause)
			w.send("/bytes/500")
			check(w.tcp.SetReadDeadline(time.Now().Add(patience)))
			if err := w.tryReceive(); !errors.Is(err, os.ErrDeadlineExceeded) {
				panic(fmt.Sprintf("a request got %v, and should have been lost", err))
			}
			w.close()
		}
		p.dial("server").get("/bytes/500")
	}
}

// refused asks again on a connection that has idled, n times, and gets an RST.
func refused(n int, pause time.Duration) func(*player) {
	return func(p *player) {
		for range n {
			w := p.dial("server")
			w.get("/bytes/500")
			p.wait(pause)
			w.send("/bytes/500")
			if err := w.tryReceive(); err == nil {
				panic("it was answered")
			}
			w.close()
		}
		p.dial("server").get("/bytes/500")
	}
}

// staggered opens so many connections, each while those before are busy, and the same once
// more later.
func staggered(n int, path string, later time.Duration) func(*player) {
	return func(p *player) {
		began := time.Now()
		for _, from := range []time.Duration{0, later} {
			p.wait(time.Until(began.Add(from)))
			var all sync.WaitGroup
			wires := make([]*wire, n)
			for i := range n {
				all.Go(func() {
					wires[i] = p.dial("server")
					wires[i].get(path)
				})
				p.wait(120 * ms)
			}
			all.Wait()
			if from == 0 {
				for _, w := range wires {
					all.Go(func() { gone(p, w) })
				}
				all.Wait()
			}
		}
	}
}

// through asks a proxy, on one connection.
func through(n int, pause time.Duration) func(*player) {
	return func(p *player) {
		w := p.dial("proxy")
		for range n {
			w.get("/bytes/500", "Host: proxy")
			p.wait(pause)
		}
	}
}

// threefold asks a proxy so many times on each of three connections.
func threefold(n int) func(*player) {
	return func(p *player) {
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() { through(n, 20*ms)(p) })
		}
		all.Wait()
	}
}

var scenarios = []scenario{
	// A client that reuses, and clients that do not.
	{
		name:  "kept: one connection for all requests",
		parts: []part{keeping("server"), client(each(1, 6, closing))},
		truth: direct(6, first),
	},
	{
		name:  "no pool: connections are left open and forgotten",
		parts: []part{keeping("server"), client(each(5, 1, pausing(150*ms)))},
		truth: direct(5, after(first, 4, idleUnused)...),
	},
	{
		name: "two pools in one Go process",
		parts: []part{keeping("server"), client(func(p *player) {
			pools := []*http.Client{{Transport: &http.Transport{}}, {Transport: &http.Transport{}}}
			for i := range 6 {
				check(goGet(pools[i%2], "/bytes/500", true))
				p.wait(150 * ms)
			}
		})},
		truth: direct(6, first, idleUnused),
	},
	{
		name: "two Python processes, each with its own connection",
		parts: []part{keeping("server"), python(
			`import http.client, os, time`,
			`def get(c):`,
			`    c.request("GET", "/bytes/500"); c.getresponse().read()`,
			`c = http.client.HTTPConnection("server"); get(c)`,
			`time.sleep(0.2)`,
			`child = os.fork()`,
			`if child == 0:`,
			`    own = http.client.HTTPConnection("server"); get(own); time.sleep(0.3); get(own); os._exit(0)`,
			`time.sleep(0.5); get(c); os.waitpid(child, 0)`)},
		truth: direct(4, first, idleUnused),
	},
	{
		name:  "a process a request: curl",
		parts: []part{keeping("server"), needs("curl", curl(`for i in 1 2 3 4; do curl -s -o /dev/null http://server/bytes/500 || exit 1; done`))},
		truth: direct(4, after(first, 3, cAtOnce)...),
	},
	{
		name: "a session a request: Python's http.client",
		parts: []part{keeping("server"), python(
			`import http.client, time`,
			`for i in range(4):`,
			`    c = http.client.HTTPConnection("server"); c.request("GET", "/bytes/500"); c.getresponse().read(); c.close(); time.sleep(0.1)`)},
		truth: direct(4, after(first, 3, cAtOnce)...),
	},
	{
		name: "a process a request, three at once: curl",
		parts: []part{keeping("server"), needs("curl", curl(
			`for i in 1 2; do for j in 1 2 3; do curl -s -o /dev/null http://server/delay/500ms & done; wait; sleep 0.3; done`))},
		truth: direct(6, first, concurrency, concurrency, cAtOnce, cAtOnce, cAtOnce),
	},
	{
		name:  "ab without -k: HTTP/1.0",
		parts: []part{plainOrigin("server"), needs("ab", part{on: "client", run: []string{"ab", "-q", "-n", "5", "-c", "1", "http://server/bytes/500"}})},
		truth: direct(5, after(first, 4, cSays)...),
	},
	{
		name:  "ab -k with two at once",
		parts: []part{plainOrigin("server"), needs("ab", part{on: "client", run: []string{"ab", "-q", "-k", "-n", "20", "-c", "2", "http://server/bytes/500"}})},
		truth: direct(20, first, concurrency),
	},
	{
		name: "HTTP/1.0 without keep-alive",
		parts: []part{plainOrigin("server"), client(func(p *player) {
			for range 4 {
				w := p.dial("server")
				_, err := w.tcp.Write([]byte("GET /bytes/500 HTTP/1.0\r\n\r\n"))
				check(err)
				w.receive()
				gone(p, w)
			}
		})},
		truth: direct(4, after(first, 3, cSays)...),
	},
	{
		name: "Go with DisableKeepAlives",
		parts: []part{plainOrigin("server"), client(func(p *player) {
			c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			for range 4 {
				check(goGet(c, "/bytes/500", true))
				p.wait(80 * ms)
			}
		})},
		truth: direct(4, after(first, 3, cSays)...),
	},
	{
		name: "Python's urllib, which says close",
		parts: []part{plainOrigin("server"), python(
			`import urllib.request, time`,
			`for i in range(4):`,
			`    urllib.request.urlopen("http://server/bytes/500").read(); time.sleep(0.1)`)},
		truth: direct(4, after(first, 3, cSays)...),
	},
	{
		name: "Node without keepAlive, which says close",
		parts: []part{plainOrigin("server"), node("client", 0,
			`const http = require("http"), agent = new http.Agent({ keepAlive: false });`,
			`const get = n => http.get({ host: "server", path: "/bytes/500", agent }, r => r.resume().on("close", () => n > 1 && setTimeout(get, 100, n - 1)));`,
			`get(4);`)},
		truth: direct(4, after(first, 3, cSays)...),
	},
	{
		name: "a pool that is too small: Go's MaxIdleConnsPerHost 2, bursts of 5",
		parts: []part{keeping("server"), client(func(p *player) {
			c := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2}}
			for range 3 {
				burst(c, 5, "/delay/250ms")
				p.wait(250 * ms)
			}
		})},
		truth: direct(15, append(after(first, 4, concurrency), times(6, cFull)...)...),
	},
	{
		name: "a pool that is too small: Node's maxFreeSockets 1, bursts of 3",
		parts: []part{keeping("server"), node("client", 0,
			`const http = require("http"), agent = new http.Agent({ keepAlive: true, maxFreeSockets: 1 });`,
			`const get = () => new Promise(done => http.get({ host: "server", path: "/delay/250ms", agent }, r => r.resume().on("end", done)));`,
			`(async () => { for (let i = 0; i < 3; i++) { await Promise.all([get(), get(), get()]); await new Promise(done => setTimeout(done, 300)) }; agent.destroy() })();`)},
		truth: direct(9, first, concurrency, concurrency, cFull, cFull, cFull, cFull),
	},
	{
		name: "responses that are not read to their end",
		parts: []part{keeping("server"), client(func(p *player) {
			for range 4 {
				w := p.dial("server")
				w.send("/bytes/2000000")
				_, err := w.in.Discard(5000)
				check(err)
				w.close()
				p.wait(100 * ms)
			}
		})},
		truth: direct(4, after(first, 3, cAborts)...),
	},
	{
		name: "responses that are not read to their end: Go's Body.Close",
		parts: []part{keeping("server"), client(func(p *player) {
			c := &http.Client{Transport: &http.Transport{}}
			for range 4 {
				check(goGet(c, "/bytes/8000000", false))
				p.wait(150 * ms)
			}
		})},
		truth: direct(4, after(first, 3, cAborts)...),
	},
	{
		name: "a client's pool that closes after 400 ms",
		parts: []part{keeping("server"), client(func(p *player) {
			for range 4 {
				w := p.dial("server")
				w.get("/bytes/500")
				p.wait(200 * ms)
				w.get("/bytes/500")
				p.wait(400 * ms)
				w.close()
				p.wait(150 * ms)
			}
		})},
		truth: direct(8, after(first, 3, cIdle)...).withClientIdle(400 * ms),
	},
	{
		name: "a client's pool that closes after 400 ms: Go's IdleConnTimeout",
		parts: []part{keeping("server"), client(func(p *player) {
			c := &http.Client{Transport: &http.Transport{IdleConnTimeout: 400 * ms}}
			for range 4 {
				check(goGet(c, "/bytes/500", true))
				p.wait(600 * ms)
			}
		})},
		truth: direct(4, after(first, 3, cIdle)...).withClientIdle(400 * ms),
	},

	// Servers that close, and say so or not.
	{
		name: "a server that says close each time",
		parts: []part{serving(func(p *player) {
			p.serve(func(_ int, w *wire) {
				path, _ := w.next(patience)
				w.answer(path, "Connection: close")
			})
		}), client(each(4, 1, gone))},
		truth: direct(4, after(first, 3, sSays)...),
	},
	{
		name: "a server of HTTP/1.0: Python's http.server",
		parts: []part{{on: "server", listens: 1, run: []string{"python3", "-m", "http.server", "80"}},
			needs("curl", curl(`curl -s -o /dev/null -o /dev/null -o /dev/null http://server/ 'http://server/?2' 'http://server/?3'`))},
		truth: direct(3, after(first, 2, sSays)...),
	},
	{
		name: "nginx with keepalive_timeout 0",
		parts: []part{nginx("server", "keepalive_timeout 0;", "root DIR;"),
			needs("curl", curl(`curl -s -o /dev/null -o /dev/null -o /dev/null http://server/page 'http://server/page?2' 'http://server/page?3'`))},
		truth: direct(3, after(first, 2, sSays)...),
	},
	{
		name:  "--misbehave unannounced-close",
		parts: []part{misbehaving("unannounced-close"), client(each(4, 1, gone))},
		truth: direct(4, after(first, 3, sAtOnce)...),
	},
	{
		name:  "--misbehave false-keep-alive",
		parts: []part{misbehaving("false-keep-alive"), client(each(4, 1, gone))},
		truth: direct(4, after(first, 3, sAtOnce)...),
	},
	{
		name:  "--misbehave half-close",
		parts: []part{misbehaving("half-close"), client(each(4, 1, gone))},
		truth: direct(4, after(first, 3, sAtOnce)...),
	},
	{
		name:  "an idle limit of 1 s, not announced",
		parts: []part{idling(time.Second), client(ask(0, 300*ms, 900*ms, 1200*ms, 600*ms, 1200*ms, 1200*ms))},
		truth: direct(7, after(first, 3, sIdle)...).withIdle(time.Second),
	},
	{
		name: "an idle limit of 1 s, announced: Node's keepAliveTimeout",
		parts: []part{node("server", 1,
			`const server = require("http").createServer((q, r) => r.end("hello"));`,
			`server.keepAliveTimeout = 1000; server.listen(80, "0.0.0.0");`),
			client(ask(0, 500*ms, 2400*ms, 500*ms, 2400*ms))},
		truth: direct(5, after(first, 2, sIdle)...).withIdle(time.Second).orIdle(2 * time.Second), // newer ones wait a second more
	},
	{
		name:  "an idle limit of 1 s: nginx's keepalive_timeout",
		parts: []part{nginx("server", "keepalive_timeout 1s;", "root DIR;"), client(askFor("/page", 0, 500*ms, 1300*ms, 500*ms, 1300*ms))},
		truth: direct(5, after(first, 2, sIdle)...).withIdle(time.Second),
	},
	{
		name: "an idle limit of 1 s: HAProxy's timeout http-keep-alive",
		parts: []part{haproxy("server", "\ttimeout http-keep-alive 1s", "\thttp-request return status 200 content-type text/plain string hello"),
			client(ask(0, 500*ms, 1300*ms, 500*ms, 1300*ms))},
		truth: direct(5, after(first, 2, sIdle)...).withIdle(time.Second),
	},
	{
		name: "an idle limit of 1 s: Go's IdleTimeout",
		parts: []part{serving(func(*player) {
			s := &http.Server{Addr: ":80", IdleTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "hello") })}
			check(s.ListenAndServe())
		}), client(ask(0, 500*ms, 1300*ms, 500*ms, 1300*ms))},
		truth: direct(5, after(first, 2, sIdle)...).withIdle(time.Second),
	},
	{
		name: "an idle limit of 1 s: Apache's KeepAliveTimeout",
		parts: []part{{on: "server", listens: 1, run: []string{"apache2", "-f", "DIR/conf", "-DFOREGROUND"}, files: map[string]string{
			"page": "hello",
			"conf": `ServerRoot DIR
ServerName server
PidFile DIR/pid
ErrorLog DIR/error.log
DefaultRuntimeDir DIR
Listen 80
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
User www-data
Group www-data
StartServers 1
DocumentRoot DIR
KeepAliveTimeout 1
`}}, client(askFor("/page", 0, 500*ms, 1300*ms, 500*ms, 1300*ms))},
		truth: direct(5, after(first, 2, sIdle)...).withIdle(time.Second),
	},
	{
		name: "an idle limit of 1 s: Caddy's idle",
		parts: []part{{on: "server", listens: 1, run: []string{"caddy", "run", "--adapter", "caddyfile", "--config", "DIR/conf"}, files: map[string]string{
			"conf": `{
	admin off
	storage file_system DIR
	servers {
		timeouts {
			idle 1s
		}
	}
}
http://server {
	respond hello
}
`}}, client(ask(0, 500*ms, 1300*ms, 500*ms, 1300*ms))},
		truth: direct(5, after(first, 2, sIdle)...).withIdle(time.Second),
	},
	{
		name: "six at once, then one alone, until the other five have idled for 700 ms",
		parts: []part{idling(700 * ms), client(func(p *player) {
			var pool [6]*wire
			for round := range 2 {
				var all sync.WaitGroup
				for i := range 6 {
					all.Go(func() {
						if i > 0 || round == 0 {
							pool[i] = p.dial("server")
						}
						pool[i].get("/delay/200ms")
					})
				}
				all.Wait()
				for range 4 {
					p.wait(300 * ms)
					pool[0].get("/bytes/500")
				}
			}
		})},
		truth: direct(20, append(after(first, 5, concurrency), times(5, sIdle)...)...).withIdle(700 * ms),
	},
	{
		name:  "--misbehave short-idle:500ms",
		parts: []part{misbehaving("short-idle:500ms"), client(ask(0, 200*ms, 800*ms, 200*ms, 800*ms))},
		truth: direct(5, after(first, 2, sIdle)...).withIdle(500 * ms),
	},
	{
		name:  "--misbehave wrong-unit:1s, announced in milliseconds",
		parts: []part{misbehaving("wrong-unit:1s"), client(ask(0, 300*ms, 1300*ms, 300*ms, 1300*ms))},
		truth: direct(5, after(first, 2, sIdle)...).withIdle(time.Second),
	},
	{
		name:  "--misbehave reset: an idle connection ends by RST after 1 s",
		parts: []part{misbehaving("reset"), client(ask(0, 300*ms, 1300*ms, 300*ms, 1300*ms))},
		truth: direct(5, after(first, 2, sIdle)...).withIdle(time.Second),
	},
	{
		name: "an idle limit of 1 s, and keep-alive probes of TCP in between",
		parts: []part{idling(1500 * ms), client(func(p *player) {
			for range 3 {
				w := p.dial("server")
				w.control(func(fd int) error {
					for opt, value := range map[int]int{unix.TCP_KEEPIDLE: 1, unix.TCP_KEEPINTVL: 1} {
						if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, opt, value); err != nil {
							return err
						}
					}
					return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
				})
				w.get("/bytes/500")
				gone(p, w)
			}
		})},
		truth: direct(3, after(first, 2, sIdle)...).withIdle(1500 * ms),
	},
	{
		name: "two servers behind one address, with 0.5 s and 1.2 s",
		parts: []part{serving(func(p *player) {
			p.serve(func(n int, w *wire) { w.keep([]time.Duration{500 * ms, 1200 * ms}[n%2]) })
		}), client(ask(0, 700*ms, 800*ms, 1400*ms, 700*ms, 700*ms))},
		truth: direct(6, after(first, 3, sIdle)...),
	},
	{
		name:  "a request limit of 3, announced: --misbehave few-requests:3",
		parts: []part{misbehaving("few-requests:3"), client(each(4, 3, gone))},
		truth: direct(12, after(first, 3, limit)...).withRequests(3),
	},
	{
		name: "a request limit of 3 beside an idle limit of 600 ms",
		parts: []part{serving(func(p *player) {
			p.serve(func(_ int, w *wire) {
				for range 3 {
					path, ok := w.next(600 * ms)
					if !ok {
						return
					}
					w.answer(path)
				}
			})
		}), client(func(p *player) {
			for _, n := range []int{3, 3, 1, 3, 2, 3, 1} {
				each(1, n, gone)(p)
			}
		})},
		truth: direct(16, first, limit, limit, sIdle, limit, sIdle, limit).withRequests(3).withIdle(600 * ms),
	},
	{
		name: "a request limit of 4, not announced",
		parts: []part{serving(func(p *player) {
			p.serve(func(_ int, w *wire) {
				for range 4 {
					path, _ := w.next(patience)
					w.answer(path)
				}
			})
		}), client(each(4, 4, gone))},
		truth: direct(16, after(first, 3, limit)...).withRequests(4),
	},
	{
		name:  "a request limit of 5: nginx's keepalive_requests",
		parts: []part{nginx("server", "keepalive_requests 5;", "root DIR;"), client(askFor("/page", evenly(20, 40*ms)...))},
		truth: direct(20, after(first, 3, limit)...).withRequests(5),
	},
	{
		name: "a request limit of 3: Node's maxRequestsPerSocket",
		parts: []part{node("server", 1,
			`const server = require("http").createServer((q, r) => r.end("hello"));`,
			`server.maxRequestsPerSocket = 3; server.listen(80, "0.0.0.0");`),
			client(ask(evenly(10, 60*ms)...))},
		truth: direct(10, after(first, 3, limit)...).withRequests(3),
	},
	{
		name:  "an age of 800 ms at most, announced",
		parts: []part{aging(800 * ms), client(ask(unevenly()...))},
		truth: direct(len(unevenly()), first, maxAge+"+").withAge(800 * ms),
	},
	{
		name:  "an age of 1 s at most: nginx's keepalive_time",
		parts: []part{nginx("server", "keepalive_time 1s;", "root DIR;"), client(askFor("/page", unevenly()...))},
		truth: direct(len(unevenly()), first, maxAge+"+").withAge(time.Second),
	},
	{
		name: "an age of 900 ms at most, not announced",
		parts: []part{serving(func(p *player) {
			p.serve(func(_ int, w *wire) {
				for began := time.Now(); time.Since(began) < 900*ms; {
					path, ok := w.next(patience)
					if !ok {
						return
					}
					w.answer(path)
				}
			})
		}), client(ask(unevenly()...))},
		truth: direct(len(unevenly()), first, maxAge+"+").withAge(900 * ms),
	},
	{
		name:  "an age of 800 ms at most, at an even pace: each connection carries as many",
		parts: []part{aging(800 * ms), client(ask(evenly(28, 70*ms)...))},
		// Nobody can tell: it may be a limit of requests, too, and so no such limit is claimed.
		truth: direct(28, first, maxAge+"|"+limit+"|"+sSays+"+").withAge(800 * ms),
	},

	// Ends that are nobody's limit.
	{
		name: "a restart that closes four connections of different ages",
		parts: []part{serving(func(p *player) {
			var once sync.Once
			var stop time.Time
			p.serve(func(n int, w *wire) {
				once.Do(func() { stop = time.Now().Add(1300 * ms) })
				if n >= 4 {
					w.keep(time.Hour)
					return
				}
				for path, ok := w.next(time.Until(stop)); ok; path, ok = w.next(time.Until(stop)) {
					w.answer(path)
				}
			})
		}), client(staggered(4, "/delay/500ms", 1700*ms))},
		truth: direct(8, first, concurrency, concurrency, concurrency, restart, restart, restart, restart),
	},
	{
		name: "a reload of nginx with four connections of different ages",
		parts: []part{
			nginx("server", "keepalive_timeout 30s;", "root DIR; location /slow { limit_rate 3000; root DIR; }"),
			{on: "server", at: 2000 * ms, run: []string{"sh", "-c", "kill -HUP $(cat ../0/pid)"}},
			client(staggered(4, "/slow", 2400*ms))},
		truth: direct(8, first, concurrency, concurrency, concurrency, restart, restart, restart, restart),
	},
	{
		name: "a race: the request leaves before the FIN arrives",
		rtt:  200 * ms,
		parts: []part{idling(500 * ms), client(func(p *player) {
			for range 3 {
				w := p.dial("server")
				w.get("/bytes/500")
				// The FIN leaves 500 ms after the response did, 400 ms after it has come here,
				// and comes 100 ms later.
				p.wait(450 * ms)
				if w.closed() {
					panic("the request comes too late")
				}
				sent := time.Now()
				w.fails("/bytes/500")
				if time.Since(sent) > 190*ms {
					panic("the FIN may be an answer to the request")
				}
				w.close()
			}
			p.dial("server").get("/bytes/500")
		})},
		truth: direct(7, after(first, 3, race)...).withIdle(500 * ms),
	},
	{
		name:  "--misbehave race:500ms",
		parts: []part{misbehaving("race:500ms"), client(rejected(3, 700*ms))},
		truth: direct(7, after(first, 3, race)...),
	},
	{
		name:  "--misbehave race:500ms:rst",
		parts: []part{misbehaving("race:500ms:rst"), client(rejected(3, 700*ms))},
		truth: direct(7, after(first, 3, race+"|"+failure)...),
	},
	{
		name: "a server that has forgotten its connections, and resets",
		parts: []part{serving(func(p *player) {
			p.serve(func(n int, w *wire) {
				path, _ := w.next(patience)
				w.answer(path)
				if n < 3 {
					p.wait(300 * ms)
					w.vanish()
					return
				}
				w.keep(time.Hour)
			})
		}), client(rejected(3, 700*ms))},
		truth: direct(7, after(first, 3, race+"|"+failure)...),
	},
	{
		name:  "stale reuse: the FIN had come long before the request",
		parts: []part{idling(300 * ms), client(rejected(3, 700*ms))},
		truth: direct(7, after(first, 3, stale)...).withIdle(300 * ms),
	},
	{
		name: "stale reuse: Python's http.client does not look",
		parts: []part{idling(300 * ms), python(
			`import http.client, time`,
			`c = http.client.HTTPConnection("server")`,
			`def get():`,
			`    c.request("GET", "/bytes/500"); c.getresponse().read()`,
			`get()`,
			`for i in range(3):`,
			`    time.sleep(0.6)`,
			`    try: get(); raise SystemExit(1)`,
			`    except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError): c.close()`,
			`    get()`)},
		truth: direct(7, after(first, 3, stale)...).withIdle(300 * ms),
	},
	{
		name:   "a NAT that forgets after 500 ms",
		forget: 500 * ms,
		parts:  []part{keeping("server"), client(unanswered(3, 700*ms, 900*ms))},
		truth:  direct(7, after(first, 3, dropped)...).losing(3),
	},
	{
		name:   "a NAT that forgets after 500 ms, and answers by RST",
		forget: 500 * ms, refuses: true, joined: true,
		parts: []part{keeping("server"), client(refused(4, 700*ms))},
		truth: direct(9, after(first, 4, dropped)...).losing(4),
	},
	{
		name:   "a firewall that resets both ends after 500 ms",
		forget: 500 * ms, resetsBoth: true, joined: true,
		parts: []part{keeping("server"), client(refused(4, 700*ms))},
		truth: direct(9, after(first, 4, "ended-between")...).losing(4),
	},
	{
		name:   "a NAT that forgets after 500 ms: Go's client with a time-out",
		forget: 500 * ms,
		parts: []part{keeping("server"), client(func(p *player) {
			c := &http.Client{Transport: &http.Transport{}, Timeout: time.Second}
			for range 3 {
				check(goGet(c, "/bytes/500", true))
				p.wait(700 * ms)
				if goGet(c, "/bytes/500", true) == nil {
					panic("it was answered")
				}
			}
			check(goGet(c, "/bytes/500", true))
		})},
		truth: direct(7, after(first, 3, dropped)...).losing(3),
	},
	{
		name:  "--misbehave black-hole:300ms, until the client's patience ends",
		parts: []part{misbehaving("black-hole:300ms"), client(unanswered(3, 500*ms, 600*ms))},
		truth: direct(7, after(first, 3, failure+"|"+cAborts)...),
	},
	{
		name: "a server that resets within a response",
		parts: []part{serving(func(p *player) {
			p.serve(func(n int, w *wire) {
				w.next(patience)
				if n == 3 {
					w.answer("/")
					return
				}
				fmt.Fprint(w.tcp, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nhalf")
				p.wait(60 * ms)
				w.reset()
			})
		}), client(rejected(3, 0))},
		truth: direct(4, after(first, 3, failure)...),
	},
	{
		name: "--misbehave cut-after-bytes:2000",
		parts: []part{misbehaving("cut-after-bytes:2000"), client(func(p *player) {
			for range 4 {
				w := p.dial("server")
				w.get("/bytes/1500")
				w.fails("/bytes/1500")
				w.close()
				p.wait(100 * ms)
			}
		})},
		truth: direct(8, after(first, 3, failure)...),
	},
	{
		name: "--misbehave ignore-close: the client says close, the server keeps it open",
		parts: []part{misbehaving("ignore-close"), client(func(p *player) {
			for range 4 {
				w := p.dial("server")
				w.get("/bytes/500", "Connection: close")
				p.wait(200 * ms)
			}
		})},
		truth: direct(4, after(first, 3, cSays)...),
	},

	// What needs no remedy.
	{
		name: "--misbehave out-of-order: pipelined requests",
		parts: []part{misbehaving("out-of-order"), client(func(p *player) {
			w := p.dial("server")
			for range 3 {
				w.send("/bytes/500")
				w.send("/bytes/600")
				w.receive()
				w.receive()
			}
		})},
		truth: direct(6, first),
	},
	{
		name: "six at once, on a path that loses packets",
		loss: 0.03,
		parts: []part{keeping("server"), client(func(p *player) {
			var all sync.WaitGroup
			for range 6 {
				all.Go(func() {
					w := p.dial("server")
					for range 4 {
						w.get("/delay/300ms")
					}
				})
			}
			all.Wait()
		})},
		truth: direct(24, after(first, 5, concurrency)...),
	},
	{
		name: "several origins",
		parts: []part{keeping("server"), keeping("server2"), keeping("server3"), client(func(p *player) {
			for range 2 {
				for _, h := range []string{"server", "server2", "server3"} {
					w := p.dial(h)
					w.get("/bytes/500", "Host: "+h)
					w.get("/bytes/500", "Host: "+h)
					w.close()
					p.wait(60 * ms)
				}
			}
		})},
		truth: and(and(direct(4, first, cAtOnce), on("client>server2", 4, first, cAtOnce)), on("client>server3", 4, first, cAtOnce)),
	},
	{
		name: "one name with two addresses",
		parts: []part{keeping("server"), keeping("server2"), client(func(p *player) {
			for _, h := range []string{"server", "server2"} {
				w := p.dial(h)
				w.get("/bytes/500", "Host: www.example")
				p.wait(100 * ms)
			}
		})},
		truth: and(direct(1, first), on("client>server2", 1, otherAddr)),
	},
	{
		name: "one name with three addresses, each asked twice",
		parts: []part{keeping("server"), keeping("server2"), keeping("server3"), client(func(p *player) {
			var all []*wire
			for _, h := range []string{"server", "server2", "server3"} {
				w := p.dial(h)
				all = append(all, w)
				w.get("/bytes/500", "Host: www.example")
				p.wait(100 * ms)
			}
			for _, w := range all {
				w.get("/bytes/500", "Host: www.example")
			}
		})},
		truth: and(and(direct(2, first), on("client>server2", 2, otherAddr)), on("client>server3", 2, otherAddr)),
	},
	{
		name: "two names at one address",
		parts: []part{keeping("server"), client(func(p *player) {
			for _, h := range []string{"a.example", "b.example"} {
				w := p.dial("server")
				w.get("/bytes/500", "Host: "+h)
				w.get("/bytes/500", "Host: "+h)
				p.wait(100 * ms)
			}
		})},
		truth: direct(4, first, identity+"|"+first),
	},
	{
		name: "three names at one address, each asked twice",
		parts: []part{keeping("server"), client(func(p *player) {
			names := []string{"a.example", "b.example", "c.example"}
			wires := make([]*wire, len(names))
			for range 2 {
				for i, name := range names {
					if wires[i] == nil {
						wires[i] = p.dial("server")
					}
					wires[i].get("/bytes/500", "Host: "+name)
					p.wait(100 * ms)
				}
			}
		})},
		truth: direct(6, first, identity+"|"+first, identity+"|"+first),
	},
	// Two names with one certificate. HTTP/2 and the certificate are in the clear up to TLS
	// 1.2; requests never are, without keys.
	{
		name:  "two names of one certificate, HTTP/2: Go's client has a connection for each",
		parts: []part{secureServing(tls.VersionTLS12, "a.example", "b.example"), client(twoNames)},
		truth: direct(0, first, separate),
	},
	{
		name: "two names of one certificate, HTTP/2: curl with nginx",
		parts: []part{secureNginx("*.example"), needs("curl", curl(
			`curl -sk --http2 --tls-max 1.2 --connect-to ::server:443 -o /dev/null -o /dev/null https://a.example/page https://b.example/page`))},
		truth: direct(0, first, separate),
	},
	{
		name:  "two names of one certificate, HTTP/2 over TLS 1.3, where it is encrypted",
		parts: []part{secureServing(tls.VersionTLS13, "a.example", "b.example"), client(twoNames)},
		truth: direct(0, first, undecided),
	},
	{
		name:  "two names, one of which the certificate lacks, HTTP/2",
		parts: []part{secureServing(tls.VersionTLS12, "a.example"), client(twoNames)},
		truth: direct(0, first, identity+"|"+first),
	},
	{
		name:  "an idle limit of 1 s behind TLS 1.3, without keys",
		parts: []part{secureServing(tls.VersionTLS13, "server"), client(securely(0, 500*ms, 1300*ms, 500*ms, 1300*ms))},
		truth: direct(5, after(first, 2, sIdle)...).withIdle(time.Second),
	},
	{
		name: "a process a request behind TLS, without keys: curl with nginx",
		parts: []part{secureNginx("server"), needs("curl", curl(
			`for i in 1 2 3 4; do curl -sk --http1.1 -o /dev/null https://server/page || exit 1; sleep 0.1; done`))},
		truth: direct(4, after(first, 3, cAtOnce)...).unresumed(3),
	},
	{
		name: "preconnect: two connections that carry nothing",
		parts: []part{keeping("server"), client(func(p *player) {
			a := p.dial("server")
			p.wait(100 * ms)
			a.close()
			b := p.dial("server")
			p.wait(400 * ms)
			b.close()
			p.wait(50 * ms)
			c := p.dial("server")
			c.get("/bytes/500")
			c.get("/bytes/500")
		})},
		truth: direct(2, noExchange, noExchange, first),
	},
	{
		name: "preconnect: a connection that is opened ahead, and used as the other one is busy",
		parts: []part{keeping("server"), client(func(p *player) {
			a := p.dial("server")
			a.get("/bytes/500")
			b := p.dial("server")
			p.wait(200 * ms)
			a.send("/delay/400ms")
			p.wait(100 * ms)
			b.get("/bytes/500")
			a.receive()
		})},
		truth: direct(3, first, concurrency),
	},
	{
		name: "two connections that carry nothing, until the server ends them",
		parts: []part{idling(400 * ms), client(func(p *player) {
			for range 2 {
				gone(p, p.dial("server"))
			}
			w := p.dial("server")
			w.get("/bytes/500")
			w.get("/bytes/500")
		})},
		truth: direct(2, noExchange, noExchange, first),
	},
	{
		name: "two connections that carry nothing but HAProxy's 408",
		parts: []part{haproxy("server", "\ttimeout http-request 400ms\n\ttimeout http-keep-alive 30s", "\thttp-request return status 200 content-type text/plain string hello"),
			client(func(p *player) {
				for range 2 {
					w := p.dial("server")
					_, err := io.Copy(io.Discard, w.in)
					check(err)
					w.close()
					p.wait(50 * ms)
				}
				w := p.dial("server")
				w.get("/bytes/500")
				w.get("/bytes/500")
			})},
		truth: direct(2, noExchange, noExchange, first),
	},
	{
		name: "a long response, and requests beside it",
		parts: []part{keeping("server"), client(func(p *player) {
			long := p.dial("server")
			long.send("/delay/900ms")
			p.wait(100 * ms)
			other := p.dial("server")
			for range 4 {
				other.get("/bytes/500")
				p.wait(100 * ms)
			}
			long.receive()
			for range 2 {
				long.get("/bytes/500")
			}
		})},
		truth: direct(7, first, concurrency),
	},
	{
		name: "two clients, each with one connection",
		parts: []part{keeping("server"),
			{on: "client2", at: 50 * ms, play: each(1, 4, pausing(100*ms))},
			client(each(1, 5, pausing(200*ms)))},
		truth: and(direct(5, first), on("client2>server", 4, first)),
	},
	{
		name: "a client that says close on every third request",
		parts: []part{plainOrigin("server"), client(func(p *player) {
			for range 4 {
				w := p.dial("server")
				w.get("/bytes/500")
				p.wait(50 * ms)
				w.get("/bytes/500")
				p.wait(50 * ms)
				w.get("/bytes/500", "Connection: close")
				gone(p, w)
			}
		})},
		truth: direct(12, after(first, 3, cSays)...),
	},
	{
		name: "requests that are cancelled before an answer",
		parts: []part{keeping("server"), client(func(p *player) {
			for range 3 {
				w := p.dial("server")
				w.get("/bytes/500")
				w.send("/delay/2s")
				p.wait(150 * ms)
				w.close()
				p.wait(80 * ms)
			}
			p.dial("server").get("/bytes/500")
		})},
		truth: direct(7, after(first, 3, cAborts+"|"+failure)...),
	},
	{
		name: "a server that waits for too long: the client's time-out",
		parts: []part{keeping("server"), client(func(p *player) {
			c := &http.Client{Transport: &http.Transport{}, Timeout: 300 * ms}
			for range 3 {
				check(goGet(c, "/bytes/500", true))
				if goGet(c, "/delay/1s", true) == nil {
					panic("it was answered")
				}
			}
			check(goGet(c, "/bytes/500", true))
		})},
		truth: direct(7, after(first, 3, cAborts+"|"+failure)...),
	},
	{
		name: "two dials at once, of which one is used",
		parts: []part{keeping("server"), client(func(p *player) {
			var used, spare *wire
			var dials sync.WaitGroup
			dials.Go(func() { used = p.dial("server") })
			p.wait(10 * ms)
			dials.Go(func() { spare = p.dial("server") })
			dials.Wait()
			for range 3 {
				used.get("/bytes/500")
			}
			spare.close()
			p.wait(60 * ms)
		})},
		truth: direct(3, first, noExchange),
	},
	{
		name: "health checks beside requests: HAProxy's",
		parts: []part{
			keeping("behind"),
			haproxy("proxy", "\toption httpchk GET /health\n\tdefault-server inter 600ms\n\thttp-reuse always", "\tdefault_backend b\nbackend b\n\tserver one behind:80 check"),
			client(through(6, 500*ms))},
		truth: truth{
			opened:    map[hop][]string{"client>proxy": {first}, "proxy>behind": {first}},
			exchanges: map[hop]int{"client>proxy": 6, "proxy>behind": 6},
			aside:     map[hop]string{"proxy>behind": "health-check"},
		},
	},
	{
		name: "health checks beside requests: another host's, each 600 ms",
		parts: []part{
			keeping("server"),
			{on: "client2", at: 100 * ms, play: func(p *player) {
				for range 6 {
					w := p.dial("server")
					w.get("/health", "User-Agent: checker")
					w.close()
					p.wait(600*ms - 80*ms)
				}
			}},
			client(func(p *player) {
				w := p.dial("server")
				for range 6 {
					w.get("/bytes/500")
					p.wait(500 * ms)
				}
			})},
		truth: truth{
			opened:    map[hop][]string{"client>server": {first}, "client2>server": {}},
			exchanges: map[hop]int{"client>server": 6},
			aside:     map[hop]string{"client2>server": "health-check"},
		},
	},
	{
		name: "server-sent events, and requests beside them",
		parts: []part{serving(func(p *player) {
			p.serve(func(_ int, w *wire) {
				if !w.answerUntil("/events") {
					return
				}
				fmt.Fprint(w.tcp, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
				for range 100 {
					if _, err := fmt.Fprint(w.tcp, "a\r\ndata: hi\n\n\r\n"); err != nil {
						return
					}
					p.wait(200 * ms)
				}
			})
		}), client(func(p *player) {
			w := p.dial("server")
			w.send("/events")
			p.wait(300 * ms)
			other := p.dial("server")
			for range 4 {
				other.get("/bytes/500")
				p.wait(200 * ms)
			}
		})},
		truth: truth{
			opened:    map[hop][]string{"client>server": {"stream", concurrency + "|" + first}},
			exchanges: map[hop]int{"client>server": 4},
		},
	},
	{
		name: "a WebSocket, and requests beside it",
		parts: []part{serving(func(p *player) {
			p.serve(func(_ int, w *wire) {
				if !w.answerUntil("/socket") {
					return
				}
				fmt.Fprint(w.tcp, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
				for b := []byte{0}; ; {
					if _, err := w.in.Read(b); err != nil {
						return
					}
					w.tcp.Write([]byte{0x81, 2, 'h', 'i'})
				}
			})
		}), client(func(p *player) {
			w := p.dial("server")
			w.get("/bytes/500")
			w.send("/socket", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
			r, err := http.ReadResponse(w.in, nil)
			check(err)
			if r.StatusCode != 101 {
				panic(r.Status)
			}
			p.wait(100 * ms)
			other := p.dial("server")
			for range 3 {
				_, err := w.tcp.Write([]byte{0x81, 0x80, 1, 2, 3, 4})
				check(err)
				other.get("/bytes/500")
				p.wait(100 * ms)
			}
		})},
		truth: truth{
			opened:    map[hop][]string{"client>server": {"stream", concurrency + "|" + first}},
			exchanges: map[hop]int{"client>server": 3},
		},
	},

	// Proxies.
	{
		name: "nginx without upstream keep-alive",
		parts: []part{
			plainOrigin("behind"),
			nginx("proxy", "", "location / { proxy_pass http://behind; proxy_http_version 1.0; }"),
			client(through(5, 150*ms))},
		truth: and(on("client>proxy", 5, first), on("proxy>behind", 5, after(first, 4, cSays)...)),
	},
	{
		name: "nginx before HAProxy, without upstream keep-alive",
		parts: []part{
			haproxy("behind", "", "\thttp-request return status 200 content-type text/plain string hello"),
			nginx("proxy", "", "location / { proxy_pass http://behind; proxy_http_version 1.0; }"),
			client(threefold(15))},
		truth: and(on("client>proxy", 45, first, concurrency, concurrency), on("proxy>behind", 45, append(after(first, 2, concurrency), times(42, cSays)...)...)),
	},
	{
		name: "nginx before HAProxy, with upstream keep-alive",
		parts: []part{
			haproxy("behind", "", "\thttp-request return status 200 content-type text/plain string hello"),
			nginx("proxy", "upstream behind { server behind:80; keepalive 8; }", `location / { proxy_pass http://behind; proxy_http_version 1.1; proxy_set_header Connection ""; }`),
			client(threefold(15))},
		truth: and(on("client>proxy", 45, first, concurrency, concurrency), on("proxy>behind", 45, first, concurrency, concurrency)),
	},
	{
		name: "nginx with upstream keep-alive",
		parts: []part{
			plainOrigin("behind"),
			nginx("proxy", "upstream behind { server behind:80; keepalive 8; }", `location / { proxy_pass http://behind; proxy_http_version 1.1; proxy_set_header Connection ""; }`),
			client(through(5, 150*ms))},
		truth: and(on("client>proxy", 5, first), on("proxy>behind", 5, first)),
	},
	{
		name: "nginx that speaks HTTP/1.1 upstream, and has no keepalive there",
		parts: []part{
			plainOrigin("behind"),
			nginx("proxy", "", `location / { proxy_pass http://behind; proxy_http_version 1.1; proxy_set_header Connection ""; }`),
			client(through(5, 150*ms))},
		truth: and(on("client>proxy", 5, first), on("proxy>behind", 5, after(first, 4, cAtOnce)...)),
	},
	{
		name: "HAProxy with http-reuse always",
		parts: []part{
			plainOrigin("behind"),
			haproxy("proxy", "\thttp-reuse always", "\tdefault_backend b\nbackend b\n\tserver one behind:80"),
			client(through(5, 150*ms))},
		truth: and(on("client>proxy", 5, first), on("proxy>behind", 5, first)),
	},
	{
		name: "HAProxy with option http-server-close",
		parts: []part{
			plainOrigin("behind"),
			haproxy("proxy", "\toption http-server-close", "\tdefault_backend b\nbackend b\n\tserver one behind:80"),
			client(through(5, 150*ms))},
		truth: and(on("client>proxy", 5, first), on("proxy>behind", 5, after(first, 4, cSays)...)),
	},
	{
		name: "HAProxy with option httpclose",
		parts: []part{
			plainOrigin("behind"),
			haproxy("proxy", "\toption httpclose", "\tdefault_backend b\nbackend b\n\tserver one behind:80"),
			needs("curl", curl(`curl -s -o /dev/null -o /dev/null -o /dev/null http://proxy/ 'http://proxy/?2' 'http://proxy/?3'`))},
		truth: and(on("client>proxy", 3, after(first, 2, sSays)...), on("proxy>behind", 3, after(first, 2, cSays)...)),
	},
	{
		name: "a tunnel through a proxy: CONNECT",
		parts: []part{
			plainOrigin("behind"),
			{on: "proxy", listens: 1, play: func(p *player) {
				p.serve(func(_ int, w *wire) {
					if _, ok := w.next(patience); !ok {
						return
					}
					far := p.dial("behind")
					fmt.Fprint(w.tcp, "HTTP/1.1 200 Connection established\r\n\r\n")
					go func() {
						io.Copy(far.tcp, w.in)
						far.tcp.CloseWrite()
					}()
					io.Copy(w.tcp, far.in)
				})
			}},
			needs("curl", curl(`curl -s -p -x http://proxy:80 -o /dev/null -o /dev/null -o /dev/null http://inner/bytes/500 http://inner/bytes/600 http://inner/bytes/700`))},
		truth: truth{
			opened:    map[hop][]string{"client>proxy": {"stream"}, "client>inner": {first}, "proxy>behind": {first}},
			exchanges: map[hop]int{"client>inner": 3, "proxy>behind": 3},
		},
	},

	// DNS.
	{
		name: "DNS over TCP, a connection a query",
		parts: []part{serving(dnsServer(0)), client(func(p *player) {
			for range 4 {
				w := p.dialPort("server", 53)
				w.query()
				w.close()
				p.wait(80 * ms)
			}
		})},
		truth: direct(4, after(first, 3, cAtOnce)...),
	},
	{
		name: "DNS over TCP, kept, with an idle limit of 700 ms",
		parts: []part{serving(dnsServer(700 * ms)), client(func(p *player) {
			for range 3 {
				w := p.dialPort("server", 53)
				for range 3 {
					w.query()
					p.wait(50 * ms)
				}
				gone(p, w)
			}
		})},
		truth: direct(9, after(first, 2, sIdle)...).withIdle(700 * ms),
	},
}

// unevenly are the pauses of somebody who asks often at first, and then less so: of
// connections that end at one age, each carries another number.
func unevenly() []time.Duration {
	var out []time.Duration
	for _, phase := range []struct {
		pause time.Duration
		n     int
	}{{10 * ms, 24}, {60 * ms, 10}, {120 * ms, 7}, {30 * ms, 14}} {
		for range phase.n {
			out = append(out, phase.pause)
		}
	}
	return out
}

// evenly is n pauses, the first of them none.
func evenly(n int, d time.Duration) []time.Duration {
	out := make([]time.Duration, n)
	for i := range out[1:] {
		out[i+1] = d
	}
	return out
}
