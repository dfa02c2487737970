import { sealedContract } from '../../testing/sealed.contract.ts';
import { supabaseCloud } from './testing/test-clouds.ts';

sealedContract('Supabase', supabaseCloud);
