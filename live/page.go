package live

import (
	"cmp"
	"context"
	"io"
	"net"
	"net/url"

	"linger"
	"linger/page"
	"linger/trace"
)

// A Page is what a visit to a URL found.
type Page struct {
	Trace *trace.Trace
	page.Found
}

// Visit fetches the document at an http or https URL and, as its bytes arrive, the images,
// scripts, style sheets and icons of the same origin that it names, by the
// strategy, and what those style sheets name in their turn. Redirects within the
// origin are followed. What scripts would ask for is not known to it.
//
// Address and Host of the Config are those of the URL where they are empty; Verify
// and Statuses are of no use here. Contents are asked for compressed by gzip, as a
// browser would ask for them.
func Visit(ctx context.Context, target string, s linger.Strategy, c Config) (*Page, error) {
	u, err := page.ParseURL(target)
	if err != nil {
		return nil, err
	}
	c = c.towards(u)
	c.Verify, c.Statuses, c.Encoding = false, false, "gzip"
	visit := page.NewVisit(target, u, s, c.Message.FirstMethod(), len(c.Message.Content))
	r, err := newRun(ctx, linger.Scenario{Workload: visit.First(), Strategy: s}, c)
	if err != nil {
		return nil, err
	}
	r.page = visit
	if err := r.fetch(ctx); err != nil {
		return nil, err
	}
	return &Page{r.trace, visit.Result(r.trace)}, nil
}

// Towards returns the Config with the server of a URL: what is dialled, the Host that it or
// the Message names, and the name of its certificate.
func (c Config) Towards(target string) (Config, error) {
	u, err := page.ParseURL(target)
	if err != nil {
		return c, err
	}
	return c.towards(u), nil
}

func (c Config) towards(u *url.URL) Config {
	c.Address = cmp.Or(c.Address, net.JoinHostPort(u.Hostname(), page.Port(u)))
	c.ServerName = cmp.Or(c.ServerName, u.Hostname())
	c.Host = cmp.Or(c.Host, c.Message.Host(), u.Host)
	return c
}

// explore has a response searched for references as its content arrives, which is read from in.
// field gives a field of its head, when the instant of what was read last.
func (c *conn) explore(q request, status int, field func(string) string, in io.Reader, when func() linger.Instant) {
	r := page.Response{URL: c.run.page.Locate(q.Path), Status: status, Field: field, Content: in, Search: q.search}
	r.References(func(ref page.Reference) {
		c.tell(event{kind: found, exchange: q.Index, at: when(), reference: ref})
	})
}
