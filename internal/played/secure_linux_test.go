package played

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
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
	p := nginx("server", "", "listen 443 ssl http2; ssl_certificate DIR/certificate; ssl_certificate_key DIR/key; root DIR;")
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

// twoNames asks for two names by turns with Go's own client, which has connections of its own
// for each of them.
func twoNames(p *player) {
	c := &http.Client{Transport: &http.Transport{
		ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
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
