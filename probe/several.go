package probe

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"linger/profile"
)

// ErrNotBegun is of a probe that was not begun, because the context ended before.
var ErrNotBegun = errors.New("interrupted before")

// Together probes several servers by one, at most so many at once, and returns when all have
// ended. told is called for each, one call at a time, with what came of it.
func Together(ctx context.Context, servers []Config, atOnce int, one func(context.Context, Config) (*profile.Profile, error), told func(i int, p *profile.Profile, err error)) {
	free := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	var telling sync.Mutex
	tell := func(i int, p *profile.Profile, err error) {
		telling.Lock()
		defer telling.Unlock()
		told(i, p, err)
	}
	for i, server := range servers {
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
			tell(i, nil, ErrNotBegun)
			continue
		}
		all.Go(func() {
			p, err := one(ctx, server)
			<-free
			tell(i, p, err)
		})
	}
	all.Wait()
}

// Most is what each of several servers is asked at most.
func Most(servers []Config) (most Outlay) {
	for _, s := range servers {
		if p, err := Plan(s); err == nil {
			most.Connections, most.Requests, most.Longest = max(most.Connections, p.Connections), max(most.Requests, p.Requests), max(most.Longest, p.Longest)
		}
	}
	return most
}

// Bounds of a list of servers, which a person or a script has written.
const (
	longestList = 10_000  // servers
	longestLine = 8 << 10 // bytes
)

// ReadList reads a list of URLs, one a line. A line that cannot be probed is in the
// list too, with the reason. What stands behind a blank and a # is a comment.
func ReadList(r io.Reader, config Config) ([]profile.Probed, error) {
	var list []profile.Probed
	scan := bufio.NewScanner(r)
	scan.Buffer(nil, longestLine)
	line := 1
	for ; scan.Scan(); line++ {
		text := strings.TrimSpace(strings.ToValidUTF8(scan.Text(), "?"))
		if line == 1 {
			text = strings.TrimPrefix(text, "\ufeff")
		}
		if i := strings.Index(text, " #"); i >= 0 {
			text = strings.TrimSpace(text[:i])
		}
		if text == "" || text[0] == '#' {
			continue
		}
		if len(list) == longestList {
			return nil, fmt.Errorf("more than %d servers; part it", longestList)
		}
		one := profile.Probed{Line: line, Target: text}
		config.Target = text
		if _, err := Plan(config); err != nil {
			one.Failed = err.Error()
		}
		list = append(list, one)
	}
	err := scan.Err()
	if errors.Is(err, bufio.ErrTooLong) {
		err = fmt.Errorf("line %d: longer than %d bytes; is this a list of URLs?", line, longestLine)
	}
	return list, err
}
