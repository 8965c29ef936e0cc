package host

import (
	"bytes"
	"io"
	"sync"
)

// Qlogs hold the qlog of each QUIC connection in memory, up to a bound.
type Qlogs struct {
	mu   sync.Mutex
	logs map[int]*bytes.Buffer
}

// maxQlog bounds the qlog of one connection; what is more is dropped. A gallery
// makes less than 1 MB.
const maxQlog = 64 << 20

// NewQlogs returns qlogs of no connection.
func NewQlogs() *Qlogs { return &Qlogs{logs: map[int]*bytes.Buffer{}} }

// Open returns where a connection's qlog goes.
func (q *Qlogs) Open(conn int) io.WriteCloser {
	q.mu.Lock()
	defer q.mu.Unlock()
	b := &bytes.Buffer{}
	q.logs[conn] = b
	return &qlogWriter{q, b}
}

// Bytes returns the qlogs by connection.
func (q *Qlogs) Bytes() map[int][]byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := map[int][]byte{}
	for conn, b := range q.logs {
		out[conn] = b.Bytes()
	}
	return out
}

type qlogWriter struct {
	all *Qlogs
	log *bytes.Buffer
}

func (w *qlogWriter) Write(p []byte) (int, error) {
	w.all.mu.Lock()
	defer w.all.mu.Unlock()
	if w.log.Len()+len(p) <= maxQlog {
		w.log.Write(p)
	}
	return len(p), nil
}

func (w *qlogWriter) Close() error { return nil }
