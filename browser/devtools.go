package browser

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
)

// maxMessage bounds one message of the browser.
const maxMessage = 8 << 20

// A devTools speaks the Chrome DevTools Protocol over two pipes: messages of JSON, each
// with a zero byte behind it. A WebSocket would be a socket on the host whose sockets
// are counted.
type devTools struct {
	in, out     *os.File // ours
	theirs      []*os.File
	events      chan message
	done        chan struct{} // closed with close
	once        sync.Once
	mu          sync.Mutex
	last        int
	pending     map[int]chan message
	overWith    error
	readerEnded chan struct{}
}

// A message is what the browser says: an answer, which has an ID, or an event.
type message struct {
	ID     int             `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// attach gives a browser that is to be started its ends: it reads descriptor 3 and
// writes descriptor 4.
func attach(cmd *exec.Cmd) (*devTools, error) {
	theirIn, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	out, theirOut, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, theirIn.Close(), in.Close())
	}
	cmd.ExtraFiles = []*os.File{theirIn, theirOut}
	return &devTools{in: in, out: out, theirs: cmd.ExtraFiles, events: make(chan message, 256), done: make(chan struct{}),
		pending: map[int]chan message{}, readerEnded: make(chan struct{})}, nil
}

// started begins to listen to the browser.
func (d *devTools) started() {
	for _, f := range d.theirs {
		f.Close()
	}
	d.theirs = nil
	go func() {
		defer close(d.readerEnded)
		err := d.read()
		d.mu.Lock()
		d.overWith = err
		for id, to := range d.pending {
			close(to)
			delete(d.pending, id)
		}
		d.mu.Unlock()
		close(d.events)
	}()
}

// close ends the conversation, and waits for what listens.
func (d *devTools) close() {
	d.once.Do(func() {
		close(d.done)
		for _, f := range d.theirs {
			f.Close()
		}
		d.in.Close()
		d.out.Close()
		if d.theirs == nil {
			<-d.readerEnded
		}
	})
}

func (d *devTools) read() error {
	in := bufio.NewReaderSize(d.out, 64<<10)
	for {
		text, err := readMessage(in)
		if err != nil {
			return err
		}
		var m message
		if err := json.Unmarshal(text, &m); err != nil {
			return fmt.Errorf("the browser's DevTools said what is no message: %w", err)
		}
		if m.ID != 0 {
			d.mu.Lock()
			to := d.pending[m.ID]
			delete(d.pending, m.ID)
			d.mu.Unlock()
			if to != nil {
				to <- m
			}
			continue
		}
		select {
		case d.events <- m:
		case <-d.done:
			return io.EOF
		}
	}
}

// readMessage reads up to a zero byte.
func readMessage(in *bufio.Reader) ([]byte, error) {
	var text []byte
	for {
		part, err := in.ReadSlice(0)
		text = append(text, part...)
		switch {
		case len(text) > maxMessage:
			return nil, fmt.Errorf("the browser's DevTools said more than %d MB at once", maxMessage>>20)
		case err == nil:
			return text[:len(text)-1], nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}

// ended is why nothing more comes.
func (d *devTools) ended() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.overWith == nil || errors.Is(d.overWith, io.EOF) || errors.Is(d.overWith, os.ErrClosed) {
		return errors.New("the browser ended before the page was there")
	}
	return d.overWith
}

// send writes a command; an answer goes to the channel, if any.
func (d *devTools) send(session, method string, params any, to chan message) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last++
	command := map[string]any{"id": d.last, "method": method}
	if session != "" {
		command["sessionId"] = session
	}
	if params != nil {
		command["params"] = params
	}
	text, err := json.Marshal(command)
	if err != nil {
		return 0, err
	}
	if to != nil {
		d.pending[d.last] = to
	}
	_, err = d.in.Write(append(text, 0))
	return d.last, err
}

// tell gives a command whose answer nobody waits for.
func (d *devTools) tell(session, method string, params any) error {
	if _, err := d.send(session, method, params, nil); err != nil {
		return fmt.Errorf("the browser does not take %s: %w", method, err)
	}
	return nil
}

// ask gives a command and waits for its answer. Events that come meanwhile wait too.
func (d *devTools) ask(ctx context.Context, session, method string, params, result any) error {
	to := make(chan message, 1)
	if _, err := d.send(session, method, params, to); err != nil {
		if ended := d.ended(); ended != nil {
			return ended
		}
		return fmt.Errorf("the browser does not take %s: %w", method, err)
	}
	select {
	case m, ok := <-to:
		switch {
		case !ok:
			return d.ended()
		case m.Error != nil:
			return fmt.Errorf("the browser refuses %s: %s", method, m.Error.Message)
		case result == nil:
			return nil
		}
		return json.Unmarshal(m.Result, result)
	case <-ctx.Done():
		return ctx.Err()
	}
}
