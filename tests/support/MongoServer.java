/* mongo-java-server on a port of one's choice: MongoServer PORT. Its own main knows only 27017. */
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;

public class MongoServer {
    public static void main(String[] args) {
        new de.bwaldvogel.mongo.MongoServer(new MemoryBackend()).bind("127.0.0.1", Integer.parseInt(args[0]));
    }
}
