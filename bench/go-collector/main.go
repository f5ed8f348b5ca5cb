// Peer and load for bench/collector.py: `serve` is a collector of Go's net/http and franz-go (parse, produce with
// acks=all, answer); `load` posts one body from many connections and prints what it measured as JSON.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"os"
	"sort"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func main() {
	switch os.Args[1] {
	case "serve":
		serve(os.Args[2], os.Args[3], os.Args[4])
	case "load":
		load(os.Args[2], os.Args[3], os.Args[4], os.Args[5], os.Args[6])
	}
}

func serve(bootstrap, topic, address string) {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(bootstrap), kgo.DefaultProduceTopic(topic), kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0),
	)
	if err != nil {
		panic(err)
	}
	http.HandleFunc("/v1/track/events", func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		var event map[string]any
		if err != nil || json.Unmarshal(raw, &event) != nil {
			w.WriteHeader(400)
			return
		}
		session, _ := event["session"].(string)
		value, _ := json.Marshal(map[string]any{
			"specversion": "1.0", "id": strconv.FormatInt(time.Now().UnixNano(), 36), "source": "collector",
			"type": "pixel.event", "store": "acme", "time": time.Now().UTC().Format(time.RFC3339Nano), "data": event,
		})
		record := &kgo.Record{
			Key: []byte("acme/" + session), Value: value, Partition: int32(crc32.ChecksumIEEE([]byte("acme")) % 4),
		}
		if err := client.ProduceSync(context.Background(), record).FirstErr(); err != nil {
			w.WriteHeader(503)
			return
		}
		w.Header().Set("content-type", "application/json")
		w.Header().Set("access-control-allow-origin", "*")
		io.WriteString(w, `{"status":"received"}`)
	})
	listener, err := net.Listen("tcp", address)
	if err != nil {
		panic(err)
	}
	fmt.Println("http://" + listener.Addr().String())
	panic(http.Serve(listener, nil))
}

// load posts the body of a file for some seconds from many connections; rate 0 is as fast as answers come.
func load(target, path, connections, seconds, rate string) {
	body, _ := os.ReadFile(os.Args[7])
	count, _ := strconv.Atoi(connections)
	length, _ := strconv.ParseFloat(seconds, 64)
	perSecond, _ := strconv.ParseFloat(rate, 64)
	request := []byte(fmt.Sprintf("POST %s HTTP/1.1\r\nhost: c\r\nauthorization: Bearer BID123\r\norigin: https://shop\r\n"+
		"content-type: application/json\r\ncontent-length: %d\r\n\r\n%s", path, len(body), body))
	end := time.Now().Add(time.Duration(length * float64(time.Second)))
	results := make([][]float64, count)
	failed := make([]int, count)
	var all sync.WaitGroup
	start := time.Now()
	for n := range results {
		all.Add(1)
		go func() {
			defer all.Done()
			conn, err := net.Dial("tcp", target)
			if err != nil {
				failed[n]++
				return
			}
			defer conn.Close()
			reader := bufio.NewReader(conn)
			// Spread over the interval: pages do not load all at once.
			due := time.Now()
			if perSecond > 0 {
				due = due.Add(time.Duration(float64(n) / perSecond * float64(time.Second)))
			}
			for time.Now().Before(end) {
				if perSecond > 0 {
					due = due.Add(time.Duration(float64(count) / perSecond * float64(time.Second)))
					time.Sleep(time.Until(due))
				}
				// From when it was due: a stall is not hidden by waiting for it.
				from := time.Now()
				if perSecond > 0 {
					from = due
				}
				conn.Write(request)
				response, err := http.ReadResponse(reader, nil)
				if err != nil {
					failed[n]++
					return
				}
				io.Copy(io.Discard, response.Body)
				if response.StatusCode != 200 {
					failed[n]++
				} else {
					results[n] = append(results[n], time.Since(from).Seconds()*1000)
				}
			}
		}()
	}
	all.Wait()
	took := time.Since(start).Seconds()
	var every []float64
	errors := 0
	for n := range results {
		every = append(every, results[n]...)
		errors += failed[n]
	}
	sort.Float64s(every)
	at := func(share float64) float64 {
		if len(every) == 0 {
			return 0
		}
		return every[int(share*float64(len(every)-1))]
	}
	json.NewEncoder(os.Stdout).Encode(map[string]any{
		"rate": float64(len(every)) / took, "p50_ms": at(0.5), "p99_ms": at(0.99), "errors": errors,
	})
}
