package played

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"linger/internal/testcert"
)

// certificateOf is a certificate for names with its key, both as PEM.
func certificateOf(names ...string) (certificate, key string) {
	c, k := testcert.PEM(testcert.SelfSigned(x509.Certificate{DNSNames: names}))
	return string(c), string(k)
}

// secureServing is Go's server of HTTP/2, with the highest version of TLS that it speaks
// and a certificate for names. It closes what has been idle for a second.
func secureServing(version uint16, names ...string) part {
	return serving(func(*player) {
		certificate, key := certificateOf(names...)
		pair, err := tls.X509KeyPair([]byte(certificate), []byte(key))
		check(err)
		s := &http.Server{Addr: ":443", Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "hello") }),
			IdleTimeout: time.Second, TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}, MaxVersion: version}}
		check(s.ListenAndServeTLS("", ""))
	})
}

// secureNginx is nginx with HTTP/2 on port 443, and a certificate for names.
func secureNginx(names ...string) part {
	return secureNginxWith("", names...)
}

// secureNginxWith is the same with further lines of its server.
func secureNginxWith(lines string, names ...string) part {
	p := nginx("server", "", "listen 443 ssl http2; ssl_certificate DIR/certificate; ssl_certificate_key DIR/key; root DIR; "+lines)
	p.listens = 2
	p.files["certificate"], p.files["key"] = certificateOf(names...)
	return p
}

// securely asks over HTTP/1.1 and TLS with Go's own client, after a pause each.
func securely(pauses ...time.Duration) func(*player) {
	return func(p *player) {
		c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
		for _, d := range pauses {
			p.wait(d)
			r, err := c.Get("https://server/")
			check(err)
			_, err = io.Copy(io.Discard, r.Body)
			check(err)
			r.Body.Close()
			if r.ProtoMajor != 1 {
				panic(r.Proto)
			}
		}
	}
}

// secretsOf is where a program is told to write the secrets of its connections; nil is nowhere.
func secretsOf() io.Writer {
	name := os.Getenv(keylog)
	if name == "" {
		return nil
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	check(err)
	return f
}

// getting is Go's own client of HTTP/2, with a pool of its own. It asks anew where change says so.
func getting(change func(*http.Transport)) *http.Client {
	t := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true, KeyLogWriter: secretsOf()}}
	if change != nil {
		change(t)
	}
	return &http.Client{Transport: t}
}

// fetch reads a response over HTTP/2 to its end.
func fetch(c *http.Client, url string) {
	r, err := c.Get(url)
	check(err)
	_, err = io.Copy(io.Discard, r.Body)
	check(err)
	r.Body.Close()
	if r.ProtoMajor != 2 {
		panic(r.Proto)
	}
}

// sharing asks over HTTP/2, after a pause each.
func sharing(pauses ...time.Duration) func(*player) {
	return func(p *player) {
		c := getting(nil)
		for _, d := range pauses {
			p.wait(d)
			fetch(c, "https://server/")
		}
	}
}

// slowServing is a server of HTTP/2 that takes its time for /slow, so many streams at once.
func slowServing(takes time.Duration, streams int, change func(*tls.Config)) part {
	return serving(func(*player) {
		certificate, key := certificateOf("server")
		pair, err := tls.X509KeyPair([]byte(certificate), []byte(key))
		check(err)
		config := &tls.Config{Certificates: []tls.Certificate{pair}}
		if change != nil {
			change(config)
		}
		s := &http.Server{Addr: ":443", TLSConfig: config, HTTP2: &http.HTTP2Config{MaxConcurrentStreams: streams}, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/slow" {
				time.Sleep(takes)
			}
			fmt.Fprintln(w, "hello")
		})}
		check(s.ListenAndServeTLS("", ""))
	})
}

// secureScenarios are those of what keys let be seen, and of the same without.
func secureScenarios() []scenario {
	resuming := func(cache tls.ClientSessionCache) func(p *player) {
		return func(p *player) {
			for range 3 {
				c := getting(func(t *http.Transport) { t.TLSClientConfig.ClientSessionCache = cache })
				fetch(c, "https://server/")
				p.wait(50 * ms)
				c.CloseIdleConnections()
				p.wait(200 * ms)
			}
		}
	}
	return []scenario{
		{
			name: "an idle limit of 1 s behind TLS 1.3, HTTP/2, with keys", keyed: true,
			parts: []part{secureServing(tls.VersionTLS13, "server"), client(sharing(0, 500*ms, 1300*ms, 500*ms, 1300*ms))},
			truth: direct(5, after(first, 2, sIdle)...).withIdle(time.Second),
		},
		{
			name:  "an idle limit of 1 s behind TLS 1.3, HTTP/2, without keys",
			parts: []part{secureServing(tls.VersionTLS13, "server"), client(sharing(0, 500*ms, 1300*ms, 500*ms, 1300*ms))},
			truth: direct(0, after(first, 2, sIdle)...).withIdle(time.Second),
		},
		{
			name: "GOAWAY after four requests, HTTP/2 over TLS 1.3, with keys: nginx", keyed: true,
			parts: []part{secureNginxWith("ssl_protocols TLSv1.3; keepalive_requests 4;", "server"), client(sharing(0, 60*ms, 90*ms, 70*ms, 200*ms, 50*ms, 120*ms, 80*ms, 300*ms, 40*ms, 110*ms, 60*ms, 150*ms, 30*ms))},
			truth: direct(14, after(first, 3, limit)...).withRequests(4).unresumed(3),
		},
		{
			name: "two names of one certificate, HTTP/2 over TLS 1.3, with keys", keyed: true,
			parts: []part{secureServing(tls.VersionTLS13, "a.example", "b.example"), client(twoNames)},
			truth: direct(4, first, separate),
		},
		{
			name: "two names, one of which the certificate lacks, HTTP/2 over TLS 1.3, with keys", keyed: true,
			parts: []part{secureServing(tls.VersionTLS13, "a.example"), client(twoNames)},
			truth: direct(4, first, identity),
		},
		{
			name: "a second pool beside HTTP/2 with room for more", keyed: true,
			parts: []part{slowServing(600*ms, 100, nil), client(func(p *player) {
				a, b := getting(nil), getting(nil)
				done := make(chan bool)
				go func() { fetch(a, "https://server/slow"); close(done) }()
				p.wait(300 * ms)
				fetch(b, "https://server/")
				<-done
			})},
			truth: direct(2, first, idleUnused),
		},
		{
			name: "more requests at once than HTTP/2 allows", keyed: true,
			parts: []part{slowServing(600*ms, 2, nil), client(func(p *player) {
				c := getting(nil)
				fetch(c, "https://server/")
				var all sync.WaitGroup
				for range 3 {
					all.Go(func() { fetch(c, "https://server/slow") })
				}
				all.Wait()
			})},
			truth: direct(4, first, concurrency),
		},
		{
			name: "handshakes that were never resumed: a client without a cache, with nginx", keyed: true,
			parts: []part{secureNginxWith("ssl_protocols TLSv1.3; location / { return 200; }", "server"), client(resuming(nil))},
			truth: direct(3, after(first, 2, cAtOnce+"|"+cIdle)...).unresumed(2),
		},
		{
			name: "handshakes that are resumed", keyed: true,
			parts: []part{slowServing(0, 100, nil), client(resuming(tls.NewLRUClientSessionCache(0)))},
			truth: direct(3, after(first, 2, cAtOnce+"|"+cIdle)...),
		},
		{
			name: "handshakes that the server would not resume: keys of its own for each", keyed: true,
			parts: []part{slowServing(0, 100, func(c *tls.Config) {
				own := c.Clone()
				own.NextProtos = []string{"h2", "http/1.1"}
				c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
					var key [32]byte
					rand.Read(key[:]) // it never fails
					each := own.Clone()
					each.SetSessionTicketKeys([][32]byte{key})
					return each, nil
				}
			}), client(resuming(tls.NewLRUClientSessionCache(0)))},
			truth: direct(3, after(first, 2, cAtOnce+"|"+cIdle)...).refusing(2),
		},
		{
			name: "a process a request behind TLS 1.3, with keys: curl with nginx", keyed: true,
			parts: []part{secureNginxWith("ssl_protocols TLSv1.3;", "server"), needs("curl", curl(
				`for i in 1 2 3 4; do curl -sk --http2 -o /dev/null https://server/page || exit 1; sleep 0.1; done`))},
			truth: direct(4, after(first, 3, cAtOnce)...).unresumed(3),
		},
	}
}

// twoNames asks for two names by turns with Go's own client, which has connections of its own
// for each of them.
func twoNames(p *player) {
	c := &http.Client{Transport: &http.Transport{
		ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true, KeyLogWriter: secretsOf()},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, "server:443")
		},
	}}
	for range 2 {
		for _, name := range []string{"a.example", "b.example"} {
			r, err := c.Get("https://" + name + "/")
			check(err)
			_, err = io.Copy(io.Discard, r.Body)
			check(err)
			r.Body.Close()
			if r.ProtoMajor != 2 {
				panic(r.Proto)
			}
			p.wait(100 * ms)
		}
	}
}

func init() { scenarios = append(scenarios, secureScenarios()...) }
