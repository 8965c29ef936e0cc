package link_test

import (
	"fmt"
	"time"

	"linger"
	"linger/link"
)

// Three packets of 1500 bytes meet a bottleneck of 12 Mbit/s, which takes a millisecond for
// each, before a queue of 3000 bytes. The owner of the link says what time it is.
func ExampleLink() {
	l := link.New[string](link.Config{Delay: 10 * time.Millisecond, Rate: 12 * linger.Mbps, Queue: 3000}, nil)
	for _, name := range []string{"first", "second", "third", "fourth"} {
		if l.Send(0, 1500, name) == link.Dropped {
			fmt.Println(name, "finds no room")
		}
	}
	for at := l.Next(); at != linger.Never; at = l.Next() {
		for {
			name, arrived, ok := l.Receive(at)
			if !ok {
				break
			}
			fmt.Println(name, "arrives after", time.Duration(arrived))
		}
	}
	// Output:
	// fourth finds no room
	// first arrives after 11ms
	// second arrives after 12ms
	// third arrives after 13ms
}
