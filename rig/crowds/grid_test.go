package crowds

import "testing"

// crowdGrid is each crowd of docs/accuracy.md.
func crowdGrid(t *testing.T) (out []gathering) {
	t.Helper()
	for _, words := range crowdWords {
		out = append(out, gather(t, words))
	}
	return out
}

var crowdWords = []string{
	"-s close --clients 10 --visits 3 --think 500ms --network lte objects:1x10240",
	"-s keep --clients 10 --visits 3 --think 500ms --network lte objects:1x10240",
	"-s h2 --clients 25 --arrivals 10/s --visits 3 --think 200ms-800ms --network cable objects:1x10240",
	"-s h3 --scheme https --clients 10 --arrivals 10/s --visits 3 --think ~500ms --network lte objects:1x10240",
	"-s close --clients 5 --visits 2 --think 1s --network cable textbook:10",
	"-s keep --clients 10 --arrivals 5/s --visits 2 --think ~1s --network cable textbook:10",
	"-s keep:6 --clients 25 --arrivals 15/s --visits 2 --think 1s --network lte textbook:10",
	"-s h2 --scheme https --clients 10 --arrivals 5/s --visits 3 --think 200ms-800ms --network wan textbook:10",
	"-s h3 --scheme https --clients 10 --visits 2 --think 1s --network cable textbook:10",
	"-s close:6 --scheme https --clients 5 --arrivals 2/s --visits 2 --think 1s --network lte gallery",
	"-s keep --clients 5 --visits 2 --think 500ms --network lte gallery",
	"-s keep:6 --scheme https --clients 10 --arrivals 4/s --visits 2 --think ~500ms --network lte gallery",
	"-s keep:6 --clients 5 --visits 2 --think 1s --network cable gallery",
	"-s h2 --scheme https --clients 10 --arrivals 4/s --visits 2 --think 1s --network lte gallery",
	"-s h3 --scheme https --clients 5 --arrivals 2/s --visits 2 --think 500ms --network lte gallery",
	"-s keep --clients 5 --visits 3 --think 500ms --network dsl textbook:10",
	"-s close:6 --clients 10 --arrivals 5/s --visits 2 --think 2s --network dsl textbook:10",
	"-s keep:6 --clients 50 --arrivals 20/s --visits 2 --think ~2s --network wan objects:1x10240",
	"-s keep --scheme https --clients 50 --arrivals 20/s --visits 2 --think 1s --network lte objects:1x10240",
	"-s close --scheme https --clients 25 --arrivals 10/s --visits 3 --think 500ms --network wan objects:1x10240",
	"-s close --shared --clients 10 --visits 3 --think 500ms --network cable objects:1x10240",
	"-s keep --shared --clients 10 --arrivals 5/s --visits 2 --think 1s --network lte textbook:10",
	"-s keep:6 --shared --clients 5 --arrivals 3/s --visits 2 --think 1s --network lte gallery",
	"-s h2 --shared --clients 5 --arrivals 3/s --visits 2 --think 1s --network wan gallery",
	"-s h3 --scheme https --shared --clients 5 --arrivals 3/s --visits 2 --think 500ms --network wan textbook:10",
	"-s keep:6 --shared --clients 25 --arrivals 10/s --visits 2 --think ~500ms --network wan textbook:10",
	"--mix keep:6=1,h2=1 --shared --clients 8 --arrivals 4/s --visits 2 --think 1s --network lte textbook:10",
	"--mix close=1,keep=1 --clients 20 --arrivals 10/s --visits 3 --think 500ms --network cable objects:1x10240",
	"--mix keep:6=2,h2=1,h3=1 --scheme https --clients 8 --arrivals 4/s --visits 2 --think 500ms --network lte textbook:10",
	"--mix close:6=1,keep:6=1 --clients 10 --arrivals 5/s --visits 2 --think ~1s --network wan gallery",
	"-s keep --server-workers 20 --clients 10 --visits 3 --think 500ms --network lte objects:1x10240",
	"-s keep --server-workers 5 --clients 10 --arrivals 10/s --visits 2 --think 500ms --network lte objects:1x10240",
	"-s keep --server-workers 5 --idle-timeout 200ms --clients 25 --arrivals 10/s --visits 2 --think 1s --network lte objects:1x10240",
	"-s close --server-workers 5 --clients 25 --arrivals 10/s --visits 3 --think 500ms --network cable objects:1x10240",
	"-s keep --server-workers 10 --idle-timeout 500ms --clients 25 --arrivals 20/s --visits 2 --think ~1s --network wan textbook:10",
	"-s h2 --scheme https --server-workers 5 --clients 10 --arrivals 10/s --visits 2 --think 500ms --network cable textbook:10",
	"-s keep:6 --server-workers 30 --clients 10 --arrivals 5/s --visits 2 --think 1s --network lte textbook:10",
	"-s keep --max-connections 10 --when-full wait --clients 25 --arrivals 20/s --visits 2 --think 500ms --network lte objects:1x10240",
	"-s keep --max-connections 10 --when-full close-idle --clients 25 --arrivals 20/s --visits 2 --think 1s --network lte objects:1x10240",
	"-s keep --max-connections 40 --when-full refuse --clients 25 --arrivals 20/s --visits 2 --think 1s --network lte objects:1x10240",
	"-s keep --max-connections 14 --when-full refuse --clients 25 --arrivals 20/s --visits 2 --think 500ms --network cable objects:1x10240",
	"-s keep:6 --max-connections 20 --when-full close-idle --clients 10 --arrivals 5/s --visits 2 --think ~1s --network lte textbook:10",
	"-s close --max-connections 8 --when-full wait --clients 25 --arrivals 20/s --visits 2 --think 1s --network wan objects:1x10240",
	"-s keep --service 12ms --clients 25 --arrivals 20/s --visits 3 --think ~1s --network lte objects:1x10240",
	"-s keep --service 28ms --clients 25 --arrivals 20/s --visits 3 --think ~1s --network lte objects:1x10240",
	"-s keep --service 38ms --clients 25 --arrivals 20/s --visits 3 --think ~1s --network lte objects:1x10240",
	"-s close --service 20ms --cores 2 --clients 50 --arrivals 25/s --visits 2 --think ~1s --network lte objects:1x10240",
	"-s h2 --service 5ms --cores 2 --clients 25 --arrivals 10/s --visits 2 --think ~1s --network cable textbook:10",
	"-s keep:6 --service 2ms --clients 25 --arrivals 10/s --visits 2 --think 1s --network wan textbook:10",
	"-s keep --service 20ms --server-workers 10 --idle-timeout 300ms --clients 25 --arrivals 15/s --visits 2 --think 1s --network wan objects:1x10240",
	"-s keep --idle-timeout 300ms --clients 25 --arrivals 15/s --visits 3 --think 600ms --network cable objects:1x10240",
	"-s keep --idle-timeout 2s --clients 25 --arrivals 15/s --visits 3 --think 600ms --network cable objects:1x10240",
	"-s keep --idle-timeout 1s --clients 25 --arrivals 15/s --visits 3 --think ~1s --network lte objects:1x10240",
	"-s h2 --scheme https --idle-timeout 400ms --clients 10 --arrivals 5/s --visits 3 --think 200ms-1s --network lte textbook:10",
	"-s keep:6 --idle-timeout 500ms --clients 10 --arrivals 5/s --visits 2 --think ~1s --network cable textbook:10",
	"-s keep --max-requests 5 --clients 10 --arrivals 5/s --visits 2 --think 500ms --network lte textbook:10",
	"-s keep --backends 2 --balance round-robin --clients 10 --arrivals 5/s --visits 3 --think 500ms --network lte objects:1x10240",
	"-s keep:6 --backends 2 --balance least-connections --clients 10 --arrivals 5/s --visits 2 --think 1s --network lte textbook:10",
	"-s close --backends 4 --balance random --clients 25 --arrivals 15/s --visits 2 --think ~1s --network lte objects:1x10240",
	"-s keep --backends 4 --balance hash --clients 25 --arrivals 15/s --visits 2 --think ~1s --network wan objects:1x10240",
	"-s keep --backends 2 --balance random --service 30ms --clients 25 --arrivals 20/s --visits 2 --think 500ms --network lte objects:1x10240",
	"-s keep --backends 2 --balance hash --server-workers 5 --clients 20 --arrivals 10/s --visits 2 --think 500ms --network lte objects:1x10240",
	"-s h2 --scheme https --backends 4 --balance least-connections --clients 20 --arrivals 10/s --visits 2 --think 1s --network wan textbook:10",
}
