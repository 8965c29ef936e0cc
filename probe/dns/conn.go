package dns

import (
	"context"
	"math/rand/v2"
	"time"

	"linger"
	"linger/dns"
	"linger/probe/prober"
	"linger/wire"
)

// A conn is a connection on which messages stand behind their lengths.
type conn struct{ *prober.Connection }

// open opens a connection.
func (p *Server) open(ctx context.Context) (*conn, error) {
	c, err := p.Prober.Open(ctx, nil)
	if err != nil {
		return nil, err
	}
	return &conn{c}, nil
}

// ask sends queries in one go.
func (c *conn) ask(queries ...[]byte) error {
	if err := c.Prober.Spend(len(queries)); err != nil {
		return err
	}
	var b []byte
	for _, q := range queries {
		b = wire.AppendMessage(b, q)
	}
	c.Socket.SetWriteDeadline(time.Now().Add(c.Prober.Answer))
	_, err := c.Write(b)
	return err
}

// hear reads one message, and returns its size in bytes.
func (c *conn) hear(ctx context.Context) (m dns.Message, size int, err error) {
	stop := c.Until(ctx, time.Now().Add(c.Prober.Answer))
	defer stop()
	c.Bounded.N = prober.MaxBody
	b, err := wire.ReadMessage(c.In, nil)
	if err != nil {
		return m, 0, err
	}
	c.Last = time.Now()
	m, err = dns.Read(b)
	return m, len(b), err
}

// lookUp asks one query and waits for its answer.
func (c *conn) lookUp(ctx context.Context, q linger.Query, o dns.Options) (m dns.Message, size int, err error) {
	o.ID = uint16(rand.Uint32())
	b, err := dns.Ask(q, o)
	if err != nil {
		return m, 0, err
	}
	if err := c.ask(b); err != nil {
		return m, 0, err
	}
	if m, size, err = c.hear(ctx); err == nil {
		err = m.Replies(q, o.ID)
	}
	return m, size, err
}

// question is the target's, with an ID, and without any wish about the connection.
func (p *Server) question(id uint16) []byte { return query(p.query, dns.Options{ID: id}) }

// query is the message of a question that can be asked.
func query(q linger.Query, o dns.Options) []byte {
	b, err := dns.Ask(q, o)
	if err != nil {
		panic("probe: " + err.Error()) // Target has tried
	}
	return b
}
