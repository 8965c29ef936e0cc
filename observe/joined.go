package observe

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"linger"
	"linger/audit"
	"linger/capture/joined"
	"linger/capture/packet"
	"linger/capture/pcap"
	"linger/fault"
	"linger/trace"
)

// A farEnd is the capture of the server's side, once it is read.
type farEnd struct {
	*joined.Joiner
	client, server string // names of both files
	secrets        []byte
	sum            packet.Summary
}

// A farSink takes the records of the server's side in.
type farSink struct {
	*joined.Joiner
	began time.Time
}

func (s farSink) WriteConnection(c *trace.Connection) error {
	s.Far(c, s.began)
	return nil
}

func (s farSink) WriteExchange(*trace.Exchange) error { return nil }

// farEnd reads the capture of the server's side, of which the records of the other one are
// held against.
func (r Reading) farEnd(ctx context.Context, near string) (*farEnd, error) {
	if r.Join == nil {
		return nil, nil
	}
	files, err := pcap.Open([]pcap.Input{{Name: r.Join.Name, From: r.Join.From}})
	if err != nil {
		return nil, cmp.Or(fault.Stopped(ctx), fault.Unmet("%w", err))
	}
	f := &farEnd{Joiner: joined.New(r.MaxTracked), client: filepath.Base(near), server: filepath.Base(r.Join.Name)}
	reader := packet.New(packet.Options{MaxTracked: r.MaxTracked}, farSink{f.Joiner, files.Began()})
	for n := 0; ; n++ {
		if n%4096 == 0 {
			if ctx.Err() != nil {
				return nil, fault.Stopped(ctx)
			}
			r.Pace.adapt()
		}
		frame, err := files.Next()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = reader.Add(frame)
		}
		if err != nil {
			return nil, err
		}
	}
	f.sum = reader.Finish()
	f.sum.Read(files)
	f.secrets = files.Secrets
	f.FarEnds(files.Began(), files.Began().Add(time.Duration(f.sum.Last.Or(0))))
	return f, nil
}

// tell puts what came of joining into a result. The error is that the files do not belong
// together, or in the other order.
func (f *farEnd) tell(in Reading, r *audit.Result, began time.Time, ended linger.Instant) error {
	f.NearEnds(began, began.Add(time.Duration(ended)))
	s := f.Sum()
	switch {
	case f.Reversed():
		return fault.Usage("--join: by their handshakes %s was taken nearer to the server than %s; name the client's first", f.client, f.server)
	case f.Same():
		return fault.Usage("--join: %s and %s hold the same handshakes at the same times, as one capture and its copy; name the client's and the server's", f.client, f.server)
	case s.Matched == 0:
		return fault.Unmet("--join: no connection over TCP is in both %s and %s; are they of the same hosts and time?", f.client, f.server)
	}
	r.Joined = linger.Known(s)
	name := f.server
	if len(in.Redact) > 0 {
		name = fmt.Sprintf("file %d", len(r.Files)+1)
	}
	r.Files = append(r.Files, name)
	for _, file := range f.sum.Files {
		if file.Problem != nil {
			doubt(r, name, file.Problem.Error())
		}
	}
	return nil
}
